// node-nlp in a process of its own: `node worker.js fit|measure FOLDER [--log]`. Same files in and out as tools/bench/worker.py.
'use strict';

const fs = require('fs');
const path = require('path');
const { NlpManager } = require('node-nlp');

const LANGUAGE = 'fr';
const NOTHING = 'nlu_fallback'; // what the answer lookup calls « nothing was understood »; node-nlp calls it None

const [verb, folder] = process.argv.slice(2);
const file = (...names) => path.join(folder, ...names);
const read = (name) => JSON.parse(fs.readFileSync(file(name), 'utf8'));
const write = (name, value) => fs.writeFileSync(file(name), JSON.stringify(value));
const cpuSeconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
// Everything as it comes, but for what writes: no log, no model beside the working directory.
const manager = () =>
  new NlpManager({ languages: [LANGUAGE], autoSave: false, nlu: { log: process.argv.includes('--log') } });

async function fit() {
  const examples = read('examples.json');
  const learner = manager();
  const begun = process.hrtime.bigint();
  const cpu = cpuSeconds();
  for (const { text, intent } of examples) learner.addDocument(LANGUAGE, text, intent);
  await learner.train();
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  const spent = cpuSeconds() - cpu;
  fs.mkdirSync(file('model'), { recursive: true });
  learner.save(file('model', 'model.nlp'), true);
  write('fitted.json', { seconds, cpu_seconds: spent });
}

async function predict(learner, text) {
  const { classifications } = await learner.process(LANGUAGE, text);
  return classifications.slice(0, 10).map((c) => [c.intent === 'None' ? NOTHING : c.intent, c.score]);
}

async function measure() {
  const { warm_up: warmUp, texts } = read('texts.json');
  const begun = process.hrtime.bigint();
  const learner = manager();
  learner.load(file('model', 'model.nlp'));
  await predict(learner, 'bonjour'); // what is made at first use belongs to the memory of a running model
  const loadSeconds = Number(process.hrtime.bigint() - begun) / 1e9;
  const rss = process.memoryUsage().rss;
  for (const text of warmUp) await predict(learner, text); // the first calls run before the compiler has seen the code
  const cpu = cpuSeconds();
  const milliseconds = [];
  const rankings = [];
  for (const text of texts) {
    const started = process.hrtime.bigint();
    const ranking = await predict(learner, text);
    milliseconds.push(Number(process.hrtime.bigint() - started) / 1e6);
    rankings.push(ranking);
  }
  const spent = cpuSeconds() - cpu;
  write('measured.json', { rss_bytes: rss, load_seconds: loadSeconds, cpu_seconds: spent, milliseconds, rankings });
}

({ fit, measure })[verb]().catch((error) => {
  console.error(error);
  process.exit(1);
});
