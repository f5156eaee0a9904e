import time
from tests.attack_kit import *
from tests.attack_kit import cheap_hashes
def test_x(database, tmp_path, monkeypatch):
    cheap_hashes(monkeypatch)
    t=time.time(); w=World(database,tmp_path); print("world",time.time()-t)
    t=time.time(); d=w.dump(); print("dump",time.time()-t)
    print(w.numbers, w.requests)
    print(set(FORMS)^{r.path for r in posted()})
    t=time.time(); w.outcome(); print("out", time.time()-t)
    for r in posted():
        f=FORMS[r.path]
    print(poisoned_columns().keys())
    b=w.browser(ANA); t=time.time(); a=b.get("/desk/"); print(a.status_code,time.time()-t)
    w.close()
