// Each row is a script that is run in a session's checkout, inside its sandbox,
// and in a plain clone of the same upstream; then the session is checked in,
// and `git add -A && git commit` done in the clone.
#pragma once

#include "runtime/sandbox/run_in_sandbox.hpp"
#include "tests/runtime/git/fixture.hpp"

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace greenroom::test {

class matrix_row {
public:
  explicit matrix_row(const std::string& script)
    : base(*w.mirror.resolve_branch("main")), place(w.checkout("work", base)),
      plain(w.dir.path() / "plain") {
    run_git(w.dir.path(), {"clone", "-q", w.upstream.string(), "plain"});
    run_git(plain, {"checkout", "-q", "-b", "work"});
    fs::create_directories(plain_home());
    fs::create_directories(session_home());
    for (const auto& home : {plain_home(), session_home()})
      write(home / ".gitconfig",
            "[user]\n\tname = Ada\n\temail = ada@example.org\n");
    in_session(script);
    in_plain(script);
  }

  fs::path plain_home() const {
    return w.dir.path() / "home";
  }
  fs::path session_home() const {
    return place.checkout.parent_path() / "home";
  }

  /// For run_in_sandbox, with the environment of the session's commands.
  command as_session(std::vector<std::string> argv) const {
    auto home = w.tools.host->config.mode == sandbox_mode::none
                  ? session_home().string()
                  : std::string{sandbox::home_inside};
    return {std::move(argv), {}, environment(home)};
  }

  void in_session(const std::string& script) {
    auto what = as_session(shell(script));
    auto result = run_command(sandbox::run_in_sandbox(
      *w.tools.host,
      {w.sid, place.checkout.parent_path(), place.checkout, place.mirror},
      what));
    INFO("in the session: " << result.out << result.err);
    REQUIRE(result.ok());
  }

  command_result try_in_plain(const std::string& script) {
    return run_command(
      {shell(script), plain, environment(plain_home().string())});
  }
  void in_plain(const std::string& script) {
    auto result = try_in_plain(script);
    INFO("in the clone: " << result.out << result.err);
    REQUIRE(result.ok());
  }

  /// The tree that git commits, or "" where it refuses to.
  std::string expected() {
    auto result = try_in_plain(
      "git -c core.hooksPath=/dev/null -c commit.gpgSign=false add -A >&2 && "
      "(git -c core.hooksPath=/dev/null -c commit.gpgSign=false commit -q "
      "--no-edit -m Work >&2 || git diff --cached --quiet >&2) && "
      "git rev-parse 'refs/heads/work^{tree}'");
    return result.ok() ? result.out.substr(0, 40) : "";
  }

  git::checkin_result check_in() {
    auto spec = w.checkin_of(place, "work", base);
    spec.new_branch = true;
    return git::checkin(spec);
  }

  std::string committed() const {
    return w.upstream_at("refs/heads/work^{tree}");
  }

  git::rescue_result rescue() {
    return git::rescue(w.rescue_of(place));
  }

  git::sandboxed_git git() const {
    return w.in(place);
  }

  /// Names below refs/greenroom/rescue/<sid>/ that the upstream has too.
  std::set<std::string> kept(const git::rescue_result& result) const {
    std::set<std::string> names;
    auto prefix = w.rescue_ref("");
    for (const auto& one : result.refs) {
      CHECK(w.upstream_at(one.ref) == one.commit);
      CHECK_FALSE(one.holds.empty());
      names.insert(one.ref.substr(prefix.size()));
    }
    return names;
  }

  std::string in_rescue(const std::string& spec) const {
    return run_git(w.upstream, {"cat-file", "-p", w.rescue_ref(spec)});
  }

  world w;
  std::string base;
  git::checkout_paths place;
  fs::path plain;

private:
  static std::vector<std::string> shell(const std::string& script) {
    return {"/bin/bash", "-c", "set -e\n" + script};
  }

  static std::vector<std::string> environment(const std::string& home) {
    return {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + home, "LANG=C.UTF-8",
            "GIT_ALLOW_PROTOCOL=file", "GIT_CONFIG_NOSYSTEM=1"};
  }
};

} // namespace greenroom::test
