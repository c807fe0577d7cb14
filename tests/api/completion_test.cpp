// What `greenroom completion SHELL` prints, in the shells that it is for.
#include "runtime/base/files.hpp"
#include "runtime/base/run_command.hpp"
#include "tests/api/terminal_user.hpp"
#include "tests/support/build_paths.hpp"

#include <filesystem>
#include <fstream>
#include <string>

using namespace greenroom::test;
using namespace greenroom;

TEST_CASE("completions are good words of their shells") {
  node_process node;
  terminal_user user{node};
  auto fish = user.out({"completion", "fish"});
  // Outside of quotes there is no other one, and each that is begun ends.
  std::size_t line = 1;
  auto quoted = false;
  for (std::size_t at = 0; at < fish.size(); ++at) {
    if (quoted && fish[at] == '\\')
      ++at;
    else if (fish[at] == '\'')
      quoted = !quoted;
    else if (fish[at] == '\n' && ++line > 0)
      REQUIRE_FALSE(quoted);
  }
  CHECK(line > 50);
  for (auto shell : {"bash", "zsh", "fish"}) {
    std::ofstream{user.home.path() / shell} << user.out({"completion", shell});
    if (std::filesystem::exists(std::filesystem::path{"/usr/bin"} / shell)) {
      auto read = run_command(
        {.argv = {shell, "-n", user.home.path() / shell},
         .env = {"PATH=/usr/bin:/bin", "HOME=" + user.home.path().string()}});
      INFO(shell << read.err);
      CHECK(read.exit_code == 0);
    }
  }
}

TEST_CASE("zsh completes from a file of its path and from what it reads") {
  if (!std::filesystem::exists("/usr/bin/zsh"))
    return;
  node_process node;
  terminal_user user{node};
  auto& home = user.home.path();
  std::filesystem::create_directory(home / "functions");
  std::ofstream{home / "functions/_greenroom"}
    << user.out({"completion", "zsh"});
  // Instead of the menu the words are printed.
  const std::string said = R"(
compadd() { shift; print -l -- $@ }
_describe() { print -l -- ${(P)2} }
_files() {}
greenroom() { print s1 }
words=(greenroom '') CURRENT=2; $_comps[greenroom] | grep '^checkin:'
words=(greenroom checkin --m) CURRENT=3; $_comps[greenroom] | grep -x -e --message
words=(greenroom webhooks '') CURRENT=3; $_comps[greenroom] | grep -x -e add -e s1
words=(greenroom webhooks test '') CURRENT=4; $_comps[greenroom] | grep -x -e s1
)";
  for (const std::string load :
       {"fpath=(~/functions $fpath); autoload -Uz compinit; compinit -u",
        "source <(cat ~/functions/_greenroom)"}) {
    auto ran =
      run_command({.argv = {"zsh", "-fc", load + '\n' + said},
                   .env = {"PATH=/usr/bin:/bin", "HOME=" + home.string()}});
    INFO(load << '\n' << ran.out << ran.err);
    CHECK(ran.err.empty());
    CHECK(ran.out.starts_with("checkin:"));
    CHECK(ran.out.ends_with("\n--message\nadd\ns1\n"));
  }
}

TEST_CASE("shells are told all commands") {
  node_process node;
  terminal_user user{node};
  auto bash = user.out({"completion", "bash"});
  // fish knows the commands of commands, and where sessions are meant.
  auto fish = user.out({"completion", "fish"});
  for (auto part : {"_from reviews' -a approve -d ",
                    "_from reviews; and __fish_seen_subcommand_from approve' "
                    "-l merge -d ",
                    " -l key-file -r -F -d ", " exec ", "__greenroom_ask list"})
    CHECK_THAT(fish, Catch::Contains(part));
  CHECK_THAT(bash, Catch::Contains("reviews) words=\"list show"));
  CHECK_THAT(bash, Catch::Contains("--merge"));
  auto tried = run_command(
    {.argv = {"bash", "-c",
              bash
                + "COMP_WORDS=(greenroom checki); COMP_CWORD=1; "
                  "COMP_LINE='greenroom checki'; COMP_POINT=16; _greenroom; "
                  "echo \"${COMPREPLY[@]}\""},
     .env = {"PATH=/usr/bin:/bin"}});
  CHECK(tried.out == "checkin\n");
}

namespace {

/// What each shell is to offer for these words, where the program answers with
/// the words that it is asked by.
struct completed {
  const char* line;
  const char* offered; // among others
};

constexpr completed after_options[] = {
  {"greenroom -p X checki", "checkin"},
  {"greenroom --project=X -q checki", "checkin"},
  {"greenroom -o json checki", "checkin"},
  {"greenroom -p X exec ", "-p:X:list:-q"},
  {"greenroom -q --project X exec ", "--project:X:list:-q"},
  {"greenroom exec -p X ", "-p:X:list:-q"},
  {"greenroom exec -pX ", "-pX:list:-q"},
  {"greenroom exec --project=X ", "--project=X:list:-q"},
  {"greenroom --key-file K exec ", "--key-file:K:list:-q"},
  {"greenroom -o json exec ", "list:-q"},
  {"greenroom -p X reviews ", "approve"},
  {"greenroom -p ", "projects:-q"},
  {"greenroom -o ", "table"},
  {"greenroom -p '$(>pwned)(>pwned)' exec ", "list:-q"},
  {"greenroom logs ", "list:-q"},
  {"greenroom logs ", "ps:--all:-q"},
  {"greenroom logs abc ", "ps:--all:abc:-q"},
  {"greenroom -p X reviews show ", "-p:X:reviews:-q"},
  {"greenroom keys revoke ", "keys:-q"},
  {"greenroom nodes drain ", "nodes:-q"},
  {"greenroom webhooks test ", "webhooks:-q"},
  {"greenroom logs --stream ", "stderr"},
  {"greenroom reviews --status ", "approved"},
  {"greenroom completion ", "zsh"},
  {"greenroom help ", "checkin"},
};

/// Behind them no session can stand.
constexpr const char* without_sessions[] = {
  "greenroom create ", "greenroom reviews show ", "greenroom keys ",
  "greenroom logs --stream "};

constexpr const char* try_in_bash = R"(
source ./completion
greenroom() { local IFS=:; echo "$*"; }
COMP_LINE=$1 COMP_POINT=${#1}
read -ra COMP_WORDS <<<"$1"
[[ $1 != *' ' ]] || COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_greenroom
printf '%s\n' "${COMPREPLY[@]}"
)";

constexpr const char* try_in_zsh = R"(
source ./completion
compadd() { shift; print -rl -- $@ }
_describe() { print -rl -- ${${(P)2}%%:*} }
_files() {}
greenroom() { print -r -- ${(j.:.)@} }
words=(${(z)1})
[[ $1 != *' ' ]] || words+=('')
CURRENT=$#words
$_comps[greenroom]
)";

constexpr const char* try_in_fish = R"(
source ./completion
function greenroom; string join -- : $argv; end
complete -C $argv[1] | string replace -r '\t.*' ''
)";

} // namespace

TEST_CASE("completions go on behind options, and ask the project that is "
          "named") {
  const terminal_user user{1, "k"}; // no server is asked
  struct {
    const char* shell;
    std::vector<std::string> argv; // before the line
  } const shells[] = {{"bash", {"bash", "-c", try_in_bash, "bash"}},
                      {"zsh", {"zsh", "-fc", try_in_zsh, "zsh"}},
                      {"fish", {"fish", "-c", try_in_fish}}};
  for (auto& [shell, argv] : shells) {
    if (!std::filesystem::exists(std::filesystem::path{"/usr/bin"} / shell))
      continue;
    std::ofstream{user.home.path() / "completion"}
      << user.out({"completion", shell});
    auto offers = [&](const char* line) {
      command what;
      what.argv = argv;
      what.argv.emplace_back(line);
      what.cwd = user.home.path();
      what.env = {"PATH=/usr/bin:/bin", "HOME=" + user.home.path().string()};
      auto ran = run_command(what);
      INFO(shell << ": " << line << '\n' << ran.err);
      CHECK(ran.err.empty());
      return '\n' + ran.out;
    };
    for (auto& [line, offered] : after_options) {
      INFO(shell << ": " << line);
      CHECK_THAT(offers(line), Catch::Contains(offered + std::string{"\n"}));
    }
    for (const auto* line : without_sessions) {
      INFO(shell << ": " << line);
      CHECK_THAT(offers(line), !Catch::Contains("list:-q"));
    }
    CHECK_FALSE(std::filesystem::exists(user.home.path() / "pwned"));
  }
}
