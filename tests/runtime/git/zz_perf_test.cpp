#include "tests/runtime/git/fixture.hpp"
#include <chrono>
using namespace greenroom; using namespace greenroom::test;
template<class F> void timed(const char*n,F f){auto b=std::chrono::steady_clock::now(); f(); WARN(n<<" "<<std::chrono::duration<double>(std::chrono::steady_clock::now()-b).count());}
TEST_CASE("perf") {
  world w;
  for (int i = 0; i < 1300; ++i) write(w.work() / "many" / std::to_string(i%40) / std::to_string(i), std::to_string(i));
  run_git(w.work(), {"add", "-A"}); run_git(w.work(), {"commit", "-qm", "Many"}); run_git(w.work(), {"push", "-q", "origin", "main"});
  timed("fetch",[&]{w.mirror.fetch();});
  git::session_place p;
  timed("checkout",[&]{p=w.session("main");});
  timed("git clone",[&]{run_git(w.dir.path(),{"clone","-q","-s",w.upstream.string(),"cl"});});
  timed("status",[&]{git::status(p);});
  for (int i = 0; i < 1000; ++i) write(p.checkout / "new" / std::to_string(i), "n"+std::to_string(i));
  timed("commit_all 1000 new",[&]{git::commit_all(p,w.user,"x");});
  timed("commit_all nothing",[&]{git::commit_all(p,w.user,"x");});
  timed("checkin",[&]{git::checkin(w.checkin_of(p,"main",w.upstream_at("refs/heads/main")));});
  timed("rescue nothing",[&]{git::rescue(w.rescue_of(p));});
}
