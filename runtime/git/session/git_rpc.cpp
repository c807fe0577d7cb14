#include "runtime/git/session/git_rpc.hpp"

#include "messages/errors.hpp"
#include "runtime/base/home_environment.hpp"
#include "runtime/base/memfd.hpp"
#include "runtime/base/throw_errno.hpp"
#include "runtime/git/common/merge_tree.hpp"
#include "runtime/git/common/refs.hpp"
#include "runtime/git/inside/looking.hpp"
#include "runtime/git/mirror/handles.hpp"
#include "runtime/sandbox/run_in_sandbox.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <set>

namespace greenroom::git {

namespace {

using nlohmann::json;
using std::chrono::seconds;

constexpr std::size_t max_answer = std::size_t{16} << 20;
constexpr std::size_t max_sentence = 2000;
constexpr std::size_t max_named = 100'000;
constexpr int for_the_user = 3; // exit codes of greenroom-git
constexpr int under_way = 4;

[[noreturn]] void bad_answer(const std::string& what) {
  throw std::runtime_error("greenroom-git gave a bad answer: " + what);
}

json parse(const std::string& text) {
  auto answer = json::parse(text, nullptr, false);
  if (!answer.is_object())
    bad_answer("no JSON object");
  return answer;
}

// -- what the program says is the session's word ------------------------------

std::string sentence(std::string_view text) {
  text = text.substr(0, std::min(text.find('\n'), max_sentence));
  std::string result{text};
  for (auto& c : result)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      c = ' ';
  return result;
}

std::string commit_id(const json& value) {
  auto text = value.get<std::string>();
  static_cast<void>(to_oid(text));
  return text;
}

std::optional<std::string> commit_or_null(const json& value) {
  if (value.is_null())
    return std::nullopt;
  return commit_id(value);
}

// As named_object has them.
bool is_work_name(std::string_view name) {
  constexpr std::string_view digits = "0123456789";
  for (std::string_view kind :
       {"heads/", "tags/", "notes/", "other/", "odd/", "nested/", "worktrees/"})
    if (name.starts_with(kind))
      return !name_fault(name.substr(kind.size()));
  if (name.starts_with("stash-")) {
    name.remove_prefix(6);
    return !name.empty() && name.size() < 10
           && name.find_first_not_of(digits) == name.npos;
  }
  return name == "stash" || name == "detached" || name == "tree"
         || name == "autostash" || name == "lfs";
}

[[noreturn]] void throw_too_many() {
  throw refused{errc::conflict, "the session's repository has too many "
                                "branches and tags, delete some"};
}

std::optional<std::string> optional_sentence(const json& answer,
                                             const char* key) {
  if (!answer.contains(key))
    return std::nullopt;
  return sentence(answer.at(key).get<std::string>());
}

std::vector<named_object> named_objects(const json& value) {
  if (value.size() > max_named)
    throw_too_many();
  std::vector<named_object> result;
  std::set<std::string> names;
  for (const auto& one : value) {
    auto name = one.at("name").get<std::string>();
    if (!is_work_name(name))
      bad_answer("a name");
    if (names.insert(name).second)
      result.push_back({name, commit_id(one.at("id")),
                        sentence(one.at("holds").get<std::string>())});
  }
  return result;
}

std::vector<lfs_change> lfs_changes(const json& answer) {
  std::vector<lfs_change> result;
  if (!answer.contains("lfs"))
    return result;
  const auto& all = answer.at("lfs");
  if (all.size() > max_named)
    throw refused{errc::conflict, "too many files of Git LFS are new; push "
                                  "them with git in the session"};
  for (const auto& one : all) {
    lfs_change made{
      sentence(one.at("path").get<std::string>()),
      {one.at("oid").get<std::string>(), one.at("size").get<std::uint64_t>()},
      one.at("is_here").get<bool>()};
    if (!is_lfs_oid(made.contents.oid))
      bad_answer("an id of Git LFS");
    result.push_back(std::move(made));
  }
  return result;
}

// A branch that a person checked out: shown, never used as a name.
std::optional<std::string> shown_name(const json& value) {
  if (value.is_null())
    return std::nullopt;
  return sentence(value.get<std::string>());
}

// -- running it ---------------------------------------------------------------

void check_there(const std::filesystem::path& checkout) {
  struct stat info;
  if (::lstat(checkout.c_str(), &info) != 0 || !S_ISDIR(info.st_mode))
    throw refused{errc::conflict, "the session's repository cannot be used: "
                                  "the checkout is missing"};
}

unique_fd nameless_file(const std::filesystem::path& directory) {
  unique_fd file{
    ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
  if (!file)
    throw_errno("cannot make a file in " + directory.string());
  return file;
}

off_t size_of(int file) {
  struct stat info;
  if (::fstat(file, &info) != 0)
    throw_errno("cannot read a session's answer");
  return info.st_size;
}

// Without the line break that must end it.
std::string first_line(int file) {
  std::string result;
  std::array<char, 65536> buffer;
  while (result.size() < max_answer) {
    auto got = ::pread(file, buffer.data(), buffer.size(),
                       static_cast<off_t>(result.size()));
    if (got < 0)
      throw_errno("cannot read a session's answer");
    if (got == 0)
      bad_answer("no line");
    std::string_view part{buffer.data(), static_cast<std::size_t>(got)};
    auto end = part.find('\n');
    result += part.substr(0, end);
    if (end != part.npos)
      return result;
  }
  throw_too_many();
}

// A pack without an object in it: what was asked for was all known.
bool is_empty_pack(int file, off_t begin) {
  std::array<char, 12> header;
  constexpr std::string_view none{"\0\0\0\0", 4};
  return ::pread(file, header.data(), header.size(), begin) == 12
         && std::string_view{header.data(), 4} == "PACK"
         && std::string_view{header.data() + 8, 4} == none;
}

std::string how_it_ended(const command_result& result) {
  if (!result.exit_code)
    return "ended by signal " + std::to_string(result.signal);
  auto said = sentence(result.err);
  return "exit code " + std::to_string(*result.exit_code)
         + (said.empty() ? "" : ": " + said);
}

} // namespace

// As the session's commands have it, so that its filters are found.
std::vector<std::string> sandboxed_git::environment() const {
  auto home = tools_.host->config.mode == sandbox_mode::none
                ? (paths_.directory / "home").string()
                : std::string{sandbox::home_inside};
  std::vector<std::string> result{"LANG=C.UTF-8"};
  for (const auto& [name, value] : home_environment(home))
    result.push_back(name + '=' + value);
  return result;
}

std::string sandboxed_git::run(json request, seconds timeout,
                               int stdout_fd) const {
  check_there(paths_.checkout);
  request["mirror"] = paths_.mirror.string();
  auto input = memfd(request.dump());
  command what;
  what.argv = {tools_.program.string(), "session"};
  what.env = environment();
  what.stdin_fd = input.get();
  what.stdout_fd = stdout_fd;
  what.timeout = timeout;
  what.max_output = max_answer;
  auto result = run_command(
    sandbox::run_in_sandbox(*tools_.host, paths_, what, {tools_.program}));
  if (result.timed_out)
    throw refused{errc::timeout,
                  "git took too long in the session's checkout, try again"};
  if (result.exit_code == for_the_user)
    throw refused{errc::conflict, sentence(result.err)};
  if (result.exit_code == under_way)
    throw refused{errc::operation_in_progress, sentence(result.err)};
  if (!result.ok())
    check_there(paths_.checkout); // the session may have ended meanwhile
  // As a shell tells of a signal, where init ended it.
  if (result.exit_code == 128 + SIGKILL || result.signal == SIGKILL)
    throw refused{errc::conflict,
                  "git was killed in the session's checkout, as it is where it "
                  "needs more memory than a session may use, which is "
                    + std::to_string(tools_.host->config.memory >> 20)
                    + " MiB (sandbox.memory): make the largest files smaller, "
                      "or have Git ignore them"};
  if (!result.ok())
    throw std::runtime_error("git in session " + paths_.session_id + ": "
                             + how_it_ended(result));
  if (result.truncated)
    bad_answer("it is too long");
  return std::move(result.out);
}

json sandboxed_git::ask(json request, seconds timeout) const {
  return parse(run(std::move(request), timeout));
}

checkout_state sandboxed_git::state(const std::string& beside) const {
  json request{{"op", "state"}};
  if (!beside.empty())
    request["upstream"] = beside;
  auto answer = ask(std::move(request), seconds{20});
  checkout_state result;
  result.head = commit_or_null(answer.at("head"));
  result.branch = shown_name(answer.at("branch"));
  result.dirty_files = answer.at("dirty_files").get<std::size_t>();
  if (answer.contains("ahead")) {
    result.ahead = answer.at("ahead").get<std::size_t>();
    result.behind = answer.at("behind").get<std::size_t>();
  }
  return result;
}

std::string sandboxed_git::diff(const std::vector<std::string>& bases) const {
  auto text = run({{"op", "diff"}, {"bases", bases}}, seconds{25});
  text.resize(std::min(text.size(), max_diff + max_sentence));
  return text;
}

merge_forecast sandboxed_git::forecast_merge(const std::string& branch,
                                             const std::string& target) const {
  auto answer = ask({{"op", "preview"}, {"branch", branch}, {"target", target}},
                    seconds{25});
  merge_forecast result;
  result.dirty_files = answer.at("dirty_files").get<std::size_t>();
  result.commit = answer.at("commit").get<std::string>();
  if (result.commit.empty())
    return result;
  result.commit = commit_id(answer.at("commit"));
  for (const auto& path : answer.at("conflicts"))
    result.files.push_back(path.get<std::string>().substr(0, PATH_MAX));
  switch (answer.at("kind").get<int>()) {
    case static_cast<int>(merge_kind::up_to_date):
      result.answer = merge_answer::up_to_date;
      break;
    case static_cast<int>(merge_kind::fast_forward):
      result.answer = merge_answer::fast_forward;
      break;
    case static_cast<int>(merge_kind::merge):
      result.reason = sentence(answer.at("reason").get<std::string>());
      result.answer = result.files.empty() && result.reason.empty()
                        ? merge_answer::clean
                        : merge_answer::conflict;
      break;
    case static_cast<int>(merge_kind::unrelated):
      result.answer = merge_answer::conflict;
      result.reason = "the two have no history in common";
      break;
    default:
      bad_answer("a kind of merge");
  }
  return result;
}

saved_work sandboxed_git::save(const save_request& request) const {
  json question{{"op", "save"},
                {"name", request.by.name},
                {"email", request.by.email},
                {"rescue_message", request.rescue_message},
                {"known", request.known},
                {"beside", request.beside},
                {"own_only", request.own_only},
                {"upstream", request.upstream}};
  if (!request.branch.empty()) {
    question["branch"] = request.branch;
    question["message"] = request.message;
  }
  // A line of JSON, and the pack after it. It may not fit in memory.
  auto file = nameless_file(paths_.directory);
  run(std::move(question), seconds{100}, file.get());
  auto line = first_line(file.get());
  auto answer = parse(line);
  saved_work result;
  result.named = named_objects(answer.at("named"));
  result.note = optional_sentence(answer, "note");
  result.complete = answer.at("complete").get<bool>();
  result.lfs = lfs_changes(answer);
  if (!request.branch.empty())
    result.tip = commit_or_null(answer.at("tip"));
  auto begin = static_cast<off_t>(line.size() + 1);
  if (size_of(file.get()) > begin && !is_empty_pack(file.get(), begin)) {
    if (::lseek(file.get(), begin, SEEK_SET) != begin)
      throw_errno("cannot read a session's pack");
    result.pack = std::move(file);
  }
  return result;
}

} // namespace greenroom::git
