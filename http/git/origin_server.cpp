#include "http/git/origin_server.hpp"

#include "http/base/reply.hpp"
#include "http/edge/blocking_ask.hpp"
#include "http/edge/notify.hpp"
#include "http/git/change_audit.hpp"
#include "http/git/fetch_relay.hpp"
#include "http/git/first_request.hpp"
#include "http/git/pkt_line.hpp"
#include "http/git/push_request.hpp"
#include "http/git/route.hpp"
#include "http/git/whole_list.hpp"
#include "messages/errors.hpp"
#include "messages/ids.hpp"
#include "messages/time.hpp"
#include "runtime/auth/api_keys.hpp"
#include "runtime/base/memfd.hpp"
#include "runtime/base/sizes.hpp"
#include "runtime/git/common/repository_name.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

namespace greenroom::http::git_http {

namespace {

using clock = std::chrono::steady_clock;
using peer = origin_peer;

constexpr std::chrono::seconds look_up{30};
constexpr std::chrono::seconds begin_timeout{60}; // to say what is wanted
constexpr std::chrono::minutes transfer_timeout{10};
constexpr std::chrono::seconds end_timeout{5}; // to hear why it is refused
constexpr std::chrono::seconds silence{60};    // of git inside

// A list of references that is longer is git's own.
constexpr std::size_t max_list = std::size_t{16} << 20;

/// Nobody is there any more, or does not speak git's protocol.
struct gone {};

// -- the wire -----------------------------------------------------------------

void await(const peer& with, short what) {
  auto left = std::min<clock::duration>(with.end - clock::now(), silence);
  pollfd item{with.socket, what, 0};
  auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  if (ms <= 0 || ::poll(&item, 1, static_cast<int>(ms)) == 0)
    throw gone{};
}

void write_all(const peer& to, std::string_view text) {
  while (!text.empty()) {
    await(to, POLLOUT);
    auto sent =
      ::send(to.socket, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EINTR || errno == EAGAIN))
      continue;
    if (sent <= 0)
      throw gone{};
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
}

// No byte more: what follows may be for git.
std::string read_exactly(const peer& from, std::size_t size) {
  std::string result(size, '\0');
  for (std::size_t done = 0; done < size;) {
    await(from, POLLIN);
    auto got =
      ::recv(from.socket, result.data() + done, size - done, MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
      continue;
    if (got <= 0)
      throw gone{};
    done += static_cast<std::size_t>(got);
  }
  return result;
}

/// One packet as it is on the wire.
std::string read_packet(const peer& from) {
  auto text = read_exactly(from, 4);
  std::size_t size = 0;
  try {
    size = std::stoul(text, nullptr, 16);
    if (size > 4 && size <= max_packet)
      text += read_exactly(from, size - 4);
    static_cast<void>(first_packet(text));
  } catch (const std::exception&) {
    throw gone{};
  }
  return text;
}

/// How git shows a sentence to its user instead of an answer.
void send_error(const peer& to, const std::string& sentence) {
  write_all(to, make_packet("ERR greenroom: " + sentence));
}

/// Lets a client that still sends hear what was said.
void hang_up(int socket) {
  ::shutdown(socket, SHUT_WR);
  const peer with{socket, clock::now() + end_timeout};
  try {
    for (;;)
      read_exactly(with, 1024);
  } catch (const gone&) {
    // It has heard it, or does not listen.
  }
}

// -- what is asked for --------------------------------------------------------

enum class verb : std::uint8_t { fetch, push, get_contents, bring_contents };

struct wish {
  verb what = verb::fetch;
  std::string path;
  std::string protocol; // of Git-Protocol's form
};

// "git-upload-pack /up.git\0host=greenroom\0\0version=2\0"
wish read_wish(const peer& from) {
  auto text = read_packet(from);
  auto packet = first_packet(text);
  std::string_view rest = packet->payload;
  auto next = [&](char end) {
    auto part = rest.substr(0, rest.find(end));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    return part;
  };
  wish result;
  auto word = next(' ');
  if (word == "git-receive-pack")
    result.what = verb::push;
  else if (word == "lfs-download")
    result.what = verb::get_contents;
  else if (word == "lfs-upload")
    result.what = verb::bring_contents;
  else if (word != "git-upload-pack")
    throw gone{};
  result.path = without_line_break(next('\0'));
  next('\0'); // the host
  next('\0');
  result.protocol = sane_protocol(next('\0'));
  return result;
}

std::string sentence_of(const std::exception_ptr& fault, spdlog::logger& log) {
  try {
    std::rethrow_exception(fault);
  } catch (const refused& e) {
    return e.what();
  } catch (const std::exception& e) {
    log.error("origin of a session: {}", e.what());
    return "internal error";
  }
}

errc code_of(const std::exception_ptr& fault) {
  try {
    std::rethrow_exception(fault);
  } catch (const refused& e) {
    return e.code();
  } catch (...) {
    return errc::internal;
  }
}

// -- Git LFS ------------------------------------------------------------------

// "OID SIZE"
git::lfs_object read_object(const std::string& text) {
  auto space = std::min(text.find(' '), text.size());
  git::lfs_object result{text.substr(0, space), 0};
  auto digits = std::string_view{text}.substr(std::min(space + 1, text.size()));
  auto [end, fault] =
    std::from_chars(digits.data(), digits.data() + digits.size(), result.size);
  if (!git::is_lfs_oid(result.oid) || fault != std::errc{}
      || end != digits.data() + digits.size())
    throw gone{};
  return result;
}

constexpr std::uint64_t piece = 65536;

void send_file(const peer& to, int file, std::uint64_t left) {
  while (left > 0) {
    await(to, POLLOUT);
    auto sent = ::sendfile(to.socket, file, nullptr, std::min(left, piece));
    if (sent < 0 && errno == EINTR)
      continue;
    if (sent <= 0)
      throw gone{};
    left -= static_cast<std::uint64_t>(sent);
  }
}

// Into a file without a name, which stands at its start then.
unique_fd receive_file(const peer& from, std::uint64_t left,
                       const std::filesystem::path& directory) {
  unique_fd file{
    ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
  if (!file)
    throw std::system_error(errno, std::generic_category(),
                            "cannot make a file for contents of Git LFS");
  while (left > 0) {
    auto bytes = read_exactly(from, std::min(left, piece));
    if (::write(file.get(), bytes.data(), bytes.size())
        != static_cast<ssize_t>(bytes.size()))
      throw std::system_error(errno, std::generic_category(),
                              "cannot keep contents of Git LFS");
    left -= bytes.size();
  }
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

// -- pushes -------------------------------------------------------------------

constexpr std::string_view capabilities =
  "report-status side-band-64k ofs-delta quiet atomic object-format=sha1 "
  "agent=greenroom";

std::string advertisement(const string_map& ids) {
  std::string result;
  for (const auto& [name, id] : ids) {
    auto line = id + " refs/" + name;
    if (result.empty())
      line += std::string{'\0'} + std::string{capabilities};
    result += make_packet(line + '\n');
  }
  if (result.empty())
    result =
      make_packet(std::string(40, '0') + " capabilities^{}" + std::string{'\0'}
                  + std::string{capabilities} + '\n');
  return result.append(flush_packet);
}

push_request read_commands(const peer& from) {
  std::string begun;
  for (;;) {
    begun += read_packet(from);
    if (auto push = read_push(begun))
      return std::move(*push);
  }
}

std::string acceptance_of(const push_request& push) {
  auto report = make_packet("unpack ok\n")
                + make_packet("ok " + push.commands.front().ref + '\n');
  report += flush_packet;
  if (push.side_band() == 0)
    return report;
  return make_packet('\1' + report).append(flush_packet);
}

} // namespace

// One of the conversations that may go on at a time.
struct origin_server::talk_slot {
  origin_server& of;
  int socket;

  talk_slot(origin_server& all, int mine) : of(all), socket(mine) {}
  talk_slot(const talk_slot&) = delete;
  talk_slot& operator=(const talk_slot&) = delete;
  ~talk_slot() {
    std::lock_guard guard{of.mutex_};
    of.talks_.erase(socket);
    ::close(socket);
    of.ended_.notify_all();
  }
};

namespace {

// It looks at what was checked in, and moves nothing.
void refuse_review(const transfer_grant& who) {
  if (who.session.id.empty())
    throw refused{errc::forbidden, "a review cannot push"};
}

} // namespace

origin_server::origin_server(origin_parts parts) : parts_(std::move(parts)) {}

origin_server::~origin_server() {
  stop();
}

void origin_server::start() {
  parts_.git->sockets().serve(
    [this](const std::string& session_id, unique_fd socket) {
      visit(session_id, std::move(socket));
    });
}

void origin_server::stop() {
  parts_.git->sockets().stop();
  std::unique_lock guard{mutex_};
  stopping_ = true;
  for (const auto& [socket, id] : talks_)
    ::shutdown(socket, SHUT_RDWR);
  ended_.wait(guard, [this] { return talks_.empty(); });
}

void origin_server::visit(const std::string& session_id, unique_fd socket) {
  // For who reads and writes without a deadline of its own: git.
  timeval limit{silence.count(), 0};
  for (auto side : {SO_RCVTIMEO, SO_SNDTIMEO})
    ::setsockopt(socket.get(), SOL_SOCKET, side, &limit, sizeof limit);
  if (begin(session_id, socket.get())) {
    socket.release();
    return;
  }
  constexpr std::string_view busy =
    "0045ERR greenroom: too many transfers by git are going on, try again\n";
  ::send(socket.get(), busy.data(), busy.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

// False: there is no room for another conversation, here or on the machine.
bool origin_server::begin(const std::string& session_id, int socket) {
  std::lock_guard guard{mutex_};
  auto mine = std::count_if(talks_.begin(), talks_.end(), [&](auto& other) {
    return other.second == session_id;
  });
  if (stopping_ || talks_.size() >= max_origin_talks
      || static_cast<std::size_t>(mine) >= max_origin_per_session)
    return false;
  auto place = talks_.emplace(socket, session_id).first;
  try {
    std::thread{[this, session_id, socket] {
      talk(session_id, socket);
    }}.detach();
    return true;
  } catch (const std::system_error& e) {
    talks_.erase(place);
    parts_.log->warn("origin of session {}: no thread: {}", session_id,
                     e.what());
    return false;
  }
}

void origin_server::talk(const std::string& session_id, int socket) {
  talk_slot slot{*this, socket};
  const peer with{socket, clock::now() + transfer_timeout};
  try {
    auto asked = read_wish({socket, clock::now() + begin_timeout});
    std::exception_ptr fault;
    try {
      auto who = admit(session_id);
      if (asked.what == verb::fetch)
        serve_fetch(who, asked.path, asked.protocol, socket);
      else if (asked.what == verb::push)
        serve_push(who, asked.path, with);
      else if (asked.what == verb::get_contents)
        serve_contents(who, asked.path, with);
      else
        take_contents(who, asked.path, with);
    } catch (const std::exception&) {
      fault = std::current_exception();
    }
    if (fault)
      send_error({socket, clock::now() + end_timeout},
                 sentence_of(fault, *parts_.log));
    hang_up(socket);
  } catch (const gone&) {
    // There is nobody to tell.
  } catch (const std::exception& e) {
    parts_.log->error("origin of session {}: {}", session_id, e.what());
  }
}

transfer_grant origin_server::admit(const std::string& session_id) {
  if (auto project = parts_.git->project_of_review(session_id))
    return {{}, std::move(*project)};
  auto session = blocking_ask<session_actor>(
    parts_.system, parts_.directory, look_up, find_session{{}, session_id});
  return blocking_ask<transfer_grant>(parts_.system, session, look_up,
                                      open_origin{});
}

/// Who may change a project's default branch names its submodules, and is
/// shown no other project by that.
bool origin_server::may_show(const project_record& project,
                             const std::string& repo) {
  const auto all = blocking_ask<project_list>(parts_.system, parts_.directory,
                                              look_up, list_projects{});
  const auto name = git::repository_name(repo);
  const auto keys = parts_.keys.snapshot();
  return std::ranges::all_of(all.projects, [&](const auto& other) {
    return git::repository_name(other.repo) != name
           || keys->all_reach(project.id, other.id, now_ms());
  });
}

namespace {

// The last argument is the repository.
command upload_pack(const std::filesystem::path& view,
                    const std::string& protocol) {
  const auto* programs = std::getenv("PATH");
  command what;
  what.argv = {"git"};
  for (auto setting :
       {"uploadpack.allowFilter=true", "uploadpack.allowAnySHA1InWant=true",
        "uploadpack.keepAlive=5", "gc.auto=0"})
    what.argv.insert(what.argv.end(), {"-c", setting});
  what.argv.insert(what.argv.end(),
                   {"upload-pack", "--strict",
                    "--timeout=" + std::to_string(silence.count()),
                    view.string()});
  what.env = {"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
              "HOME=/nonexistent", "LC_ALL=C",
              std::string{"PATH="}
                + (programs != nullptr ? programs : "/usr/bin:/bin")};
  if (!protocol.empty())
    what.env.push_back("GIT_PROTOCOL=" + protocol);
  what.timeout = transfer_timeout;
  return what;
}

} // namespace

/// nullopt: git itself answers, without what the upstream has beside branches
/// and tags. So it is too where that cannot be asked.
std::optional<std::string>
origin_server::list_all(const project_record& project, const command& program,
                        const std::string& request) {
  auto what = program;
  what.argv.insert(what.argv.end() - 1, "--stateless-rpc");
  auto input = git::memfd(request);
  what.stdin_fd = input.get();
  what.max_output = max_list;
  auto listed = run_command(what);
  if (!listed.ok() || listed.truncated)
    return std::nullopt;
  return whole_list(listed.out, parts_.git->list_whole_upstream(project));
}

void origin_server::serve_fetch(const transfer_grant& who,
                                const std::string& path,
                                const std::string& protocol, int socket) {
  auto view =
    parts_.git->origin(who.project, path, [&](const std::string& repo) {
      return may_show(who.project, repo);
    });
  const auto base = upload_pack(view, protocol);
  auto what = base;
  what.stdin_fd = socket;
  what.stdout_fd = socket;
  // Who names references before git lists them can have any that there is.
  std::optional<fetch_relay> between;
  if (protocol.find("version=2") != protocol.npos
      && git_service::is_upstream(who.project, path)) {
    between.emplace(
      socket, [&](const std::string& request) -> std::optional<std::string> {
        if (asks_for_all(request))
          return list_all(who.project, base, request);
        if (auto names = unusual_refs(request); !names.empty())
          parts_.git->show_refs(who.project, names);
        return std::nullopt;
      });
    what.stdin_fd = between->reader();
  }
  auto result = run_command(what);
  if (!result.ok())
    parts_.log->debug("origin of session {}: {}", who.session.id, result.err);
}

void origin_server::serve_contents(const transfer_grant& who,
                                   const std::string& what, const peer& to) {
  auto object = read_object(what);
  auto file = parts_.git->fetch_lfs(who.project, object);
  write_all(to, make_packet("ok\n"));
  send_file(to, file.get(), object.size);
}

void origin_server::take_contents(const transfer_grant& who,
                                  const std::string& what, const peer& from) {
  refuse_review(who);
  auto object = read_object(what);
  auto entry = audit_from_inside(who.project.id, who.session.id, object.oid);
  if (object.size > parts_.max_push) {
    add_to_audit(std::move(entry), errc::body_too_large);
    throw refused{errc::body_too_large,
                  "a file of Git LFS may have " + format_size(parts_.max_push)
                    + " here (git.max_push in the server's configuration)"};
  }
  write_all(from, make_packet("ok\n"));
  auto file = receive_file(from, object.size, parts_.git->scratch());
  try {
    parts_.git->deliver_lfs(who.project, object, file.get());
  } catch (const std::exception&) {
    add_to_audit(std::move(entry), code_of(std::current_exception()));
    throw;
  }
  add_to_audit(std::move(entry), std::nullopt);
  write_all({from.socket, clock::now() + end_timeout}, make_packet("ok\n"));
}

/// Whoever waits for an answer need not wait for the store.
void origin_server::add_to_audit(audit_entry entry, std::optional<errc> fault) {
  entry.id = make_id();
  entry.time = now_ms();
  if (fault) {
    std::lock_guard guard{mutex_};
    if (!audited_refusals_.admits(entry.session_id, entry.time))
      return;
  }
  entry.node = parts_.node;
  set_result(entry, fault ? status_of(*fault) : 200);
  if (fault)
    entry.code = code_name(*fault);
  if (parts_.audit)
    notify(parts_.audit, add_audit{{std::move(entry)}});
}

/// Nobody to tell is no fault of the push.
void origin_server::announce_push(const transfer_grant& who,
                                  const std::string& old_commit,
                                  const std::string& commit) {
  try {
    auto session =
      blocking_ask<session_actor>(parts_.system, parts_.directory, look_up,
                                  find_session{{}, who.session.id});
    notify(session, branch_pushed{
                      old_commit, commit, true, {who.session.id, {}, {}, {}}});
  } catch (const std::exception& why) {
    parts_.log->debug("session {} is not told of its push: {}", who.session.id,
                      why.what());
  }
}

void origin_server::serve_push(const transfer_grant& who,
                               const std::string& path, const peer& with) {
  refuse_review(who);
  if (!git_service::is_upstream(who.project, path))
    throw refused{errc::bad_request,
                  "only the upstream itself can be pushed to from here"};
  list_upstream all{who.project};
  write_all(with, advertisement(parts_.git->run(all).ids));
  auto push = read_commands(with);
  if (push.commands.empty())
    return;
  const auto& wanted = push.commands.front();
  const auto old = is_null_id(wanted.old_id) ? std::string{} : wanted.old_id;
  std::string fault;
  std::optional<errc> code;
  try {
    fault = fault_of(push, who.session.branch).value_or("");
    if (fault.empty())
      parts_.git->push(who, old, wanted.new_id, with.socket, parts_.max_push);
    else
      code = errc::conflict;
  } catch (const std::exception&) {
    fault = sentence_of(std::current_exception(), *parts_.log);
    code = code_of(std::current_exception());
  }
  add_to_audit(audit_from_inside(who.project.id, who.session.id), code);
  if (fault.empty())
    announce_push(who, old, wanted.new_id);
  write_all({with.socket, clock::now() + end_timeout},
            fault.empty() ? acceptance_of(push) : refusal_of(push, fault));
}

} // namespace greenroom::http::git_http
