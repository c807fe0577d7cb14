// A merge of ours, and its forecast in the session, beside `git merge` of the
// same two branches with the target checked out.
#pragma once

#include "runtime/git/mirror/merges.hpp"
#include "tests/git_matrix/matrix.hpp"

namespace greenroom::test {

struct merge_row {
  const char* name;
  const char* before; // on main, before the two part
  const char* theirs; // on main, after that
  const char* ours;   // in the session
};

inline void check_merge(const merge_row& one) {
  const char* const commit_step =
    "\ngit add -A; git commit -qm Step --allow-empty\n";
  INFO(one.name);
  world w;
  auto on_main = [&](const char* script) {
    run_git(w.work(), {"checkout", "-q", "main"});
    command what{{"/bin/bash", "-c", std::string{script} + commit_step},
                 w.work()};
    what.env = {"PATH=/usr/bin:/bin",
                "HOME=/nonexistent",
                "GIT_CONFIG_NOSYSTEM=1",
                "GIT_AUTHOR_NAME=Ada",
                "GIT_AUTHOR_EMAIL=ada@example.org",
                "GIT_COMMITTER_NAME=Ada",
                "GIT_COMMITTER_EMAIL=ada@example.org"};
    auto done = run_command(what);
    INFO(done.err);
    REQUIRE(done.ok());
    run_git(w.work(), {"push", "-q", "origin", "main"});
  };
  on_main(one.before);
  w.mirror.fetch();
  auto base = *w.mirror.resolve_branch("main");
  auto place = w.checkout("work", base);
  command in{{"/bin/bash", "-c", std::string{one.ours} + commit_step}, {}};
  in.env = {"PATH=/usr/bin:/bin",     "HOME=/tmp",
            "GIT_AUTHOR_NAME=Ada",    "GIT_AUTHOR_EMAIL=ada@example.org",
            "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.org"};
  auto done = run_command(sandbox::run_in_sandbox(
    *w.tools.host,
    {w.sid, place.checkout.parent_path(), place.checkout, place.mirror}, in));
  INFO(done.err);
  REQUIRE(done.ok());
  on_main(one.theirs);
  w.mirror.fetch();
  auto target = *w.mirror.resolve_branch("main");

  auto forecast = w.in(place).forecast_merge("work", target);
  auto spec = w.checkin_of(place, "work", base);
  spec.new_branch = true;
  auto tip = git::checkin(spec).commit;
  // By git, in a clone that has the target checked out.
  run_git(w.work(), {"fetch", "-q", "origin"});
  auto by_git = try_git(w.work(), {"merge", "-q", "--no-edit", "--no-ff", tip});
  auto wanted = by_git.ok() ? run_git(w.work(), {"rev-parse", "HEAD^{tree}"})
                            : std::string{};
  auto merged =
    git::merge({w.mirror, "main", target, tip, w.user, "Merge work into main"});

  INFO(by_git.out << by_git.err);
  CHECK((merged.end == git::merge_end::merged) == by_git.ok());
  CHECK((merged.end == git::merge_end::conflict) == !by_git.ok());
  CHECK((forecast.answer == git::merge_answer::conflict) == !by_git.ok());
  if (by_git.ok())
    CHECK(w.upstream_at("refs/heads/main^{tree}") == wanted);
  else
    CHECK(forecast.files == merged.files);
  for (const auto& file : merged.files) // as people know them
    CHECK(file.find('~') == file.npos);
}

} // namespace greenroom::test
