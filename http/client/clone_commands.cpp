// Sessions' branches in clones of one's own: clone, checkout.
#include "http/client/commands.hpp"

#include "http/client/errors.hpp"
#include "runtime/base/run_command.hpp"

#include <CLI/CLI.hpp>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

extern char** environ;

namespace greenroom::http::client {

namespace {

namespace fs = std::filesystem;

command git_command(std::vector<std::string> words) {
  command what;
  what.argv = {"git"};
  what.argv.insert(what.argv.end(), words.begin(), words.end());
  what.cwd = fs::current_path();
  for (auto** one = environ; *one != nullptr; ++one)
    what.env.emplace_back(*one);
  what.env.push_back("GIT_TERMINAL_PROMPT=0");
  return what;
}

std::string name_of(const std::vector<std::string>& words) {
  return "git " + (words.front() == "-C" ? words.at(2) : words.front());
}

/// Runs git with our own environment, for as long as it takes; it asks for
/// nothing. Answers its exit code.
int exit_of_git(std::vector<std::string> words) {
  const auto name = name_of(words);
  auto pid =
    start_command(git_command(std::move(words)), STDOUT_FILENO, STDERR_FILENO);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status))
    throw command_failed(exit_code::failed,
                         name + " was ended by signal "
                           + std::to_string(WTERMSIG(status)));
  return WEXITSTATUS(status);
}

void run_git(std::vector<std::string> words) {
  const auto name = name_of(words);
  if (exit_of_git(std::move(words)) != 0)
    throw command_failed(exit_code::failed, name + " failed");
}

/// What git prints, without the line's end; nullopt where it fails.
std::optional<std::string> ask_git(std::vector<std::string> words) {
  auto result = run_command(git_command(std::move(words)));
  if (!result.ok())
    return std::nullopt;
  return result.out.substr(0, result.out.find('\n'));
}

std::string shell_quoted(const std::string& text) {
  std::string result = "'";
  for (auto c : text)
    if (c == '\'')
      result += "'\\''";
    else
      result += c;
  return result + '\'';
}

void write_secret(const fs::path& file, const std::string& text) {
  auto fd =
    ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  auto wrote = fd < 0 ? -1 : ::write(fd, text.data(), text.size());
  if (fd >= 0)
    ::close(fd);
  if (wrote != static_cast<ssize_t>(text.size()))
    throw command_failed(exit_code::failed,
                         file.string()
                           + " cannot be written: " + std::strerror(errno));
}

/// Takes away what a clone that fails has made: its directory, or what is in
/// one that was there, and empty.
class half_made {
public:
  explicit half_made(fs::path directory)
    : directory_(std::move(directory)), was_there_(fs::exists(directory_)) {}
  half_made(const half_made&) = delete;
  half_made& operator=(const half_made&) = delete;
  ~half_made() {
    std::error_code left; // is what the failure's words are not about
    if (done_)
      return;
    if (!was_there_)
      fs::remove_all(directory_, left);
    else
      for (auto& one : fs::directory_iterator{directory_, left})
        fs::remove_all(one.path(), left);
  }

  void done() noexcept {
    done_ = true;
  }

private:
  const fs::path directory_;
  const bool was_there_;
  bool done_ = false;
};

/// git believes the authorities that we do, there and no further.
void pass_authorities(const api_client& api, const std::string& url,
                      std::vector<std::string> git) {
  const auto& file = api.server().ca_file;
  if (file.empty())
    return;
  git.insert(git.end(), {"config", "http." + url + ".sslCAInfo",
                         fs::absolute(file).string()});
  run_git(std::move(git));
}

/// How git gets at a session's branch.
struct way_in {
  std::string url;         // without the token
  std::string credentials; // a line for `git credential-store`
  std::string branch;
};

/// Makes a new token; the one of before is dead.
asio::awaitable<way_in> ask_way_in(api_client& api, session_ref session) {
  auto one = co_await api.get(session.path());
  auto target = session.path() + "/clone-token";
  json body = json::object();
  auto token = co_await api.post(std::move(target), std::move(body));
  auto url = token.value("auth_clone_url", "");
  auto scheme = url.find("://");
  auto at = url.find('@');
  if (scheme == std::string::npos || at == std::string::npos)
    throw command_failed(exit_code::failed,
                         "the server gave no clone URL: set http.public_url");
  way_in result;
  result.credentials = url.substr(0, url.find('/', at)) + "\n";
  result.url = url.substr(0, scheme + 3) + url.substr(at + 1);
  result.branch = one.value("branch", "");
  co_return result;
}

// The token must not be seen in the list of processes, so git reads it from a
// file of the clone that is its user's alone.
asio::awaitable<int> clone(invocation& now, const std::string& word,
                           std::string directory) {
  auto session = co_await now.session(word);
  if (directory.empty())
    directory = session.project + '-' + session.id.substr(0, 6);
  if (fs::exists(directory) && !fs::is_empty(directory))
    throw usage_error(directory
                      + " is there and not empty: name another "
                        "directory");
  auto in = co_await ask_way_in(now.api, session);
  auto secret = fs::absolute(directory) / ".git" / "greenroom-credentials";
  half_made clone_of{directory};
  run_git({"init", "--quiet", "-b", in.branch, directory});
  write_secret(secret, in.credentials);
  // Ours alone: the user's other helpers are not to learn this token, nor to
  // answer with an old one.
  run_git({"-C", directory, "config", "credential.helper", ""});
  run_git({"-C", directory, "config", "--add", "credential.helper",
           "store --file=" + shell_quoted(secret.string())});
  pass_authorities(now.api, in.url, {"-C", directory});
  run_git({"-C", directory, "remote", "add", "origin", in.url});
  run_git({"-C", directory, "fetch", "--quiet", "origin"});
  run_git({"-C", directory, "checkout", "--quiet", "-B", in.branch, "--track",
           "origin/" + in.branch});
  save_directory_choice(
    directory, {now.api.server().at.url(), session.project, session.id});
  auto info = fs::path{directory} / ".git" / "info";
  fs::create_directories(info);
  std::ofstream{info / "exclude", std::ios::app} << ".greenroom\n";
  clone_of.done();
  if (now.options.how_to_print().format == output_format::as_table)
    say("cloned into " + directory
        + "; git pull and git push work while the session lives");
  else
    now.show({{"directory", directory},
              {"project_id", session.project},
              {"session_id", session.id},
              {"branch", in.branch}},
             {}, "directory");
  co_return exit_code::done;
}

/// Makes the session a remote of this clone, whose other remotes keep their
/// own credentials. Returns the remote's name.
std::string add_remote(const api_client& api, const way_in& in,
                       const session_ref& session) {
  const auto common = ask_git({"rev-parse", "--git-common-dir"});
  const auto name = "greenroom-" + session.id.substr(0, 6);
  const auto secret = fs::absolute(common.value_or(".git"))
                      / ("greenroom-credentials-" + session.id);
  write_secret(secret, in.credentials);
  const auto helper = "credential." + in.url + ".helper";
  run_git({"config", "--replace-all", helper, ""});
  run_git({"config", "--add", helper,
           "store --file=" + shell_quoted(secret.string())});
  pass_authorities(api, in.url, {});
  if (ask_git({"remote", "get-url", name}))
    run_git({"remote", "set-url", name, in.url});
  else
    run_git({"remote", "add", name, in.url});
  return name;
}

/// The clone's branch of the session's name, where the session has it: made,
/// or moved on. One that has gone another way stays as it is.
void switch_to(const std::string& branch, const std::string& remote) {
  const auto theirs = remote + '/' + branch;
  if (!ask_git({"rev-parse", "--verify", "--quiet", "refs/heads/" + branch})) {
    run_git({"switch", "--quiet", "--create", branch, "--track", theirs});
    return;
  }
  run_git({"switch", "--quiet", branch});
  run_git({"branch", "--quiet", "--set-upstream-to", theirs});
  if (exit_of_git({"merge", "--ff-only", "--quiet", theirs}) == 0)
    return;
  if (exit_of_git({"merge-base", "--is-ancestor", "HEAD", theirs}) == 0)
    throw command_failed(exit_code::failed, "git merge failed");
  say("greenroom: this clone's " + branch
      + " has commits that the session's has not: git pull joins them");
}

asio::awaitable<int> checkout(invocation& now, const std::string& word) {
  if (!ask_git({"rev-parse", "--is-inside-work-tree"}))
    throw usage_error("this is no git checkout; `greenroom clone` makes one");
  auto session = co_await now.session(word);
  auto in = co_await ask_way_in(now.api, session);
  auto remote = add_remote(now.api, in, session);
  run_git(
    {"fetch", "--quiet", remote,
     "+refs/heads/" + in.branch + ":refs/remotes/" + remote + '/' + in.branch});
  switch_to(in.branch, remote);
  // It would go on to stand for another session.
  auto top = ask_git({"rev-parse", "--show-toplevel"}).value_or(".");
  if (fs::exists(fs::path{top} / ".greenroom"))
    save_directory_choice(
      top, {now.api.server().at.url(), session.project, session.id});
  if (now.options.how_to_print().format == output_format::as_table)
    say("on branch " + in.branch + " of session " + session.id
        + "; git pull and git push work while the session lives");
  else
    now.show({{"branch", in.branch},
              {"project_id", session.project},
              {"session_id", session.id},
              {"remote", remote}},
             {}, "branch");
  co_return exit_code::done;
}

} // namespace

void add_clone_commands(command_set& set) {
  constexpr auto* what_session = "Id, a prefix of it, or branch; else the one "
                                 "that this directory stands for";
  auto word = std::make_shared<std::string>();
  auto directory = std::make_shared<std::string>();
  auto* made =
    set.add(set.root, "clone", "Clone a session's branch with git",
            [=](auto& now) { return clone(now, *word, *directory); });
  made->add_option("session", *word, what_session);
  made->add_option("directory", *directory, "Where to; else PROJECT-ID");
  made->footer("A clone makes a new token: an older clone of that session can "
               "then no longer push.");

  word = std::make_shared<std::string>();
  made = set.add(set.root, "checkout",
                 "Switch the git clone you stand in to a session's branch",
                 [word](auto& now) { return checkout(now, *word); });
  made->add_option("session", *word, "Id, a prefix of it, or branch")
    ->required();
  made->footer("The session becomes a remote of the clone, greenroom-ID, which "
               "its branch follows.\nLike clone it makes a new token.");
}

} // namespace greenroom::http::client
