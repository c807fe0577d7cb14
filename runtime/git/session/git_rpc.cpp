#include "runtime/git/session/git_rpc.hpp"

#include "messages/errors.hpp"
#include "runtime/base/home_environment.hpp"
#include "runtime/base/memfd.hpp"
#include "runtime/base/run_until.hpp"
#include "runtime/base/throw_errno.hpp"
#include "runtime/git/inside/looking.hpp"
#include "runtime/sandbox/run_in_sandbox.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <limits>

namespace greenroom::git {

namespace {

using nlohmann::json;
using std::chrono::seconds;

constexpr std::size_t max_answer = std::size_t{16} << 20;
constexpr int for_the_user = 3; // exit codes of greenroom-git
constexpr int under_way = 4;

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
  throw refused{errc::conflict, too_many_refs};
}

// A pack without an object in it: what was asked for was all known.
bool is_empty_pack(int file, off_t begin) {
  std::array<char, 12> header;
  constexpr std::string_view none{"\0\0\0\0", 4};
  return ::pread(file, header.data(), header.size(), begin) == 12
         && std::string_view{header.data(), 4} == "PACK"
         && std::string_view{header.data() + 8, 4} == none;
}

// Bytes that each file may have that a save writes: code in the session can
// write to the one of its pack. An honest pack is smaller than the session's
// files may be, or than what an answer may take. 0: any.
std::uint64_t max_file(const sandbox_config& rules) {
  constexpr std::uint64_t least = 4 * max_answer;
  constexpr std::uint64_t all = std::numeric_limits<std::int64_t>::max();
  if (rules.mode == sandbox_mode::none || rules.disk > all / 2)
    return 0;
  return std::max(least, 2 * rules.disk);
}

// Whether a save may take longer than others: files of gigabytes do, on a
// machine that is busy.
class long_save {
public:
  long_save(std::counting_semaphore<>& places, bool wanted)
    : places_(places), granted_(wanted && places.try_acquire()) {}
  long_save(const long_save&) = delete;
  long_save& operator=(const long_save&) = delete;
  ~long_save() {
    if (granted_)
      places_.release();
  }

  seconds longest() const noexcept {
    return granted_ ? seconds{600} : seconds{0};
  }

private:
  std::counting_semaphore<>& places_;
  bool granted_;
};

std::string how_it_ended(const command_result& result) {
  if (!result.exit_code)
    return "ended by signal " + std::to_string(result.signal);
  auto said = sentence_of(result.err);
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

std::string sandboxed_git::run(json request, seconds timeout, int stdout_fd,
                               seconds longest) const {
  check_there(paths_.checkout);
  request["mirror"] = paths_.mirror.string();
  auto input = memfd(request.dump());
  command what;
  what.argv = {tools_.program.string(), "session"};
  what.env = environment();
  what.stdin_fd = input.get();
  what.stdout_fd = stdout_fd;
  what.timeout = timeout;
  what.longest = longest;
  what.max_output = max_answer;
  auto ended = run_until(
    sandbox::run_in_sandbox(*tools_.host, paths_, what, {tools_.program}),
    stop_ ? stop_->get() : -1);
  if (!ended)
    give_way();
  auto& result = *ended;
  if (result.timed_out)
    throw refused{errc::timeout,
                  "git took too long in the session's checkout, or what it "
                  "runs there (a filter, say) waits for something; try "
                  "again"};
  if (result.exit_code == for_the_user)
    throw refused{errc::conflict, sentence_of(result.err)};
  if (result.exit_code == under_way)
    throw refused{errc::operation_in_progress, sentence_of(result.err)};
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

checkout_state sandboxed_git::state(const std::string& beside) const {
  json request{{"op", "state"}};
  if (!beside.empty())
    request["upstream"] = beside;
  return read_state(run(std::move(request), seconds{20}));
}

std::string sandboxed_git::diff(const std::vector<std::string>& bases) const {
  auto text = run({{"op", "diff"}, {"bases", bases}}, seconds{25});
  text.resize(std::min(text.size(), max_diff + max_sentence));
  return text;
}

merge_forecast sandboxed_git::forecast_merge(const std::string& branch,
                                             const std::string& target) const {
  return read_forecast(run(
    {{"op", "preview"}, {"branch", branch}, {"target", target}}, seconds{25}));
}

saved_work sandboxed_git::save(const save_request& request) const {
  json question{{"op", "save"},
                {"name", request.by.name},
                {"email", request.by.email},
                {"rescue_message", request.rescue_message},
                {"known", request.known},
                {"beside", request.beside},
                {"own_only", request.own_only},
                {"upstream", request.upstream},
                {"max_file", max_file(tools_.host->config)}};
  if (!request.branch.empty()) {
    question["branch"] = request.branch;
    question["message"] = request.message;
  }
  // A line of JSON, and the pack after it. It may not fit in memory.
  auto file = nameless_file(paths_.directory);
  // Of checkpoints there is another one soon.
  const long_save patience{*tools_.long_saves, !request.beside};
  run(std::move(question), seconds{100}, file.get(), patience.longest());
  auto line = first_line(file.get());
  auto result = read_saved_work(line, !request.branch.empty());
  auto begin = static_cast<off_t>(line.size() + 1);
  if (size_of(file.get()) > begin && !is_empty_pack(file.get(), begin)) {
    if (::lseek(file.get(), begin, SEEK_SET) != begin)
      throw_errno("cannot read a session's pack");
    result.pack = std::move(file);
  }
  return result;
}

} // namespace greenroom::git
