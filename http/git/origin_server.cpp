#include "http/git/origin_server.hpp"

#include "http/git/pkt_line.hpp"
#include "http/git/push_request.hpp"
#include "http/git/route.hpp"
#include "messages/errors.hpp"
#include "runtime/base/run_command.hpp"

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

namespace greenroom::http::git_http {

namespace {

constexpr std::chrono::seconds look_up{30};
constexpr std::chrono::minutes fetch_timeout{10};
constexpr int silence = 60; // seconds that git inside may say nothing

/// Nobody is there any more, or does not speak git's protocol.
struct gone {};

// -- the wire -----------------------------------------------------------------

void write_all(int socket, std::string_view text) {
  while (!text.empty()) {
    auto sent = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR)
      continue;
    if (sent <= 0)
      throw gone{};
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
}

// No byte more: what follows may be for git.
std::string read_exactly(int socket, std::size_t size) {
  std::string result(size, '\0');
  for (std::size_t done = 0; done < size;) {
    auto got = ::recv(socket, result.data() + done, size - done, 0);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      throw gone{};
    done += static_cast<std::size_t>(got);
  }
  return result;
}

/// One packet as it is on the wire.
std::string read_packet(int socket) {
  auto text = read_exactly(socket, 4);
  std::size_t size = 0;
  try {
    size = std::stoul(text, nullptr, 16);
    if (size > 4 && size <= max_packet)
      text += read_exactly(socket, size - 4);
    static_cast<void>(first_packet(text));
  } catch (const std::exception&) {
    throw gone{};
  }
  return text;
}

/// How git shows a sentence to its user instead of an answer.
void send_error(int socket, const std::string& sentence) {
  write_all(socket, make_packet("ERR greenroom: " + sentence));
}

/// Lets a client that still sends hear what was said.
void hang_up(int socket) {
  ::shutdown(socket, SHUT_WR);
  std::array<char, 65536> buffer;
  for (;;) {
    auto got = ::recv(socket, buffer.data(), buffer.size(), 0);
    if (got == 0 || (got < 0 && errno != EINTR))
      return;
  }
}

// -- what is asked for --------------------------------------------------------

struct wish {
  service what = service::upload_pack;
  std::string path;
  std::string protocol; // of Git-Protocol's form
};

// "git-upload-pack /up.git\0host=greenroom\0\0version=2\0"
wish read_wish(int socket) {
  auto text = read_packet(socket);
  auto packet = first_packet(text);
  std::string_view rest = packet->payload;
  auto next = [&](char end) {
    auto part = rest.substr(0, rest.find(end));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    return part;
  };
  wish result;
  auto verb = next(' ');
  if (verb == "git-receive-pack")
    result.what = service::receive_pack;
  else if (verb != "git-upload-pack")
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

// -- pushes -------------------------------------------------------------------

constexpr std::string_view capabilities =
  "report-status side-band-64k ofs-delta quiet object-format=sha1 "
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

push_request read_commands(int socket) {
  std::string begun;
  for (;;) {
    begun += read_packet(socket);
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
  timeval limit{silence, 0};
  for (auto side : {SO_RCVTIMEO, SO_SNDTIMEO})
    ::setsockopt(socket.get(), SOL_SOCKET, side, &limit, sizeof limit);
  std::lock_guard guard{mutex_};
  auto mine = std::count_if(talks_.begin(), talks_.end(), [&](auto& other) {
    return other.second == session_id;
  });
  if (stopping_ || talks_.size() >= max_origin_talks
      || static_cast<std::size_t>(mine) >= max_origin_per_session) {
    constexpr std::string_view busy =
      "0045ERR greenroom: too many transfers by git are going on, try again\n";
    ::send(socket.get(), busy.data(), busy.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    return;
  }
  auto fd = socket.get();
  std::thread{[this, session_id, fd] { talk(session_id, fd); }}.detach();
  talks_.emplace(socket.release(), session_id);
}

void origin_server::talk(const std::string& session_id, int socket) {
  talk_slot slot{*this, socket};
  try {
    auto asked = read_wish(socket);
    std::exception_ptr fault;
    try {
      auto who = admit(session_id);
      if (asked.what == service::upload_pack)
        serve_fetch(who, asked.path, asked.protocol, socket);
      else
        serve_push(who, asked.path, socket);
    } catch (const std::exception&) {
      fault = std::current_exception();
    }
    if (fault)
      send_error(socket, sentence_of(fault, *parts_.log));
    hang_up(socket);
  } catch (const gone&) {
    // There is nobody to tell.
  } catch (const std::exception& e) {
    parts_.log->error("origin of session {}: {}", session_id, e.what());
  }
}

transfer_grant origin_server::admit(const std::string& session_id) {
  caf::scoped_actor self{parts_.system};
  std::optional<caf::error> failure;
  auto fail = [&](caf::error& e) { failure = std::move(e); };
  session_actor session;
  self->request(parts_.directory, look_up, find_session{{}, session_id})
    .receive([&](session_actor& found) { session = std::move(found); }, fail);
  transfer_grant grant;
  if (!failure)
    self->request(session, look_up, open_origin{})
      .receive([&](transfer_grant& x) { grant = std::move(x); }, fail);
  if (failure) {
    auto why = to_refusal(*failure);
    throw refused{why.code, why.message};
  }
  return grant;
}

void origin_server::serve_fetch(const transfer_grant& who,
                                const std::string& path,
                                const std::string& protocol, int socket) {
  auto view = parts_.git->origin(who.project, path);
  const auto* programs = std::getenv("PATH");
  command what;
  what.argv = {"git"};
  for (auto setting :
       {"uploadpack.allowFilter=true", "uploadpack.allowAnySHA1InWant=true",
        "uploadpack.keepAlive=5", "gc.auto=0"})
    what.argv.insert(what.argv.end(), {"-c", setting});
  what.argv.insert(what.argv.end(),
                   {"upload-pack", "--strict",
                    "--timeout=" + std::to_string(silence), view.string()});
  what.env = {"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
              "HOME=/nonexistent", "LC_ALL=C",
              std::string{"PATH="}
                + (programs != nullptr ? programs : "/usr/bin:/bin")};
  if (!protocol.empty())
    what.env.push_back("GIT_PROTOCOL=" + protocol);
  what.stdin_fd = socket;
  what.stdout_fd = socket;
  what.timeout = fetch_timeout;
  auto result = run_command(what);
  if (!result.ok())
    parts_.log->debug("origin of session {}: {}", who.session.id, result.err);
}

void origin_server::serve_push(const transfer_grant& who,
                               const std::string& path, int socket) {
  if (!git_service::is_upstream(who.project, path))
    throw refused{errc::bad_request,
                  "only the upstream itself can be pushed to from here"};
  list_upstream all{who.project};
  write_all(socket, advertisement(parts_.git->run(all).ids));
  auto push = read_commands(socket);
  if (push.commands.empty())
    return;
  std::string fault;
  try {
    fault = fault_of(push, who.session.branch).value_or("");
    const auto& wanted = push.commands.front();
    if (fault.empty())
      parts_.git->push(who, is_null_id(wanted.old_id) ? "" : wanted.old_id,
                       wanted.new_id, socket, parts_.max_push);
  } catch (const std::exception&) {
    fault = sentence_of(std::current_exception(), *parts_.log);
  }
  write_all(socket,
            fault.empty() ? acceptance_of(push) : refusal_of(push, fault));
}

} // namespace greenroom::http::git_http
