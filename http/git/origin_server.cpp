#include "http/git/origin_server.hpp"

#include "http/git/pkt_line.hpp"
#include "http/git/push_request.hpp"
#include "http/git/route.hpp"
#include "messages/errors.hpp"
#include "runtime/base/run_command.hpp"
#include "runtime/base/sizes.hpp"

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
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

enum class verb : std::uint8_t { fetch, push, get_contents, bring_contents };

struct wish {
  verb what = verb::fetch;
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

void send_file(int socket, int file, std::uint64_t left) {
  while (left > 0) {
    auto sent =
      ::sendfile(socket, file, nullptr, std::min<std::uint64_t>(left, 1 << 30));
    if (sent < 0 && errno == EINTR)
      continue;
    if (sent <= 0)
      throw gone{};
    left -= static_cast<std::uint64_t>(sent);
  }
}

// Into a file without a name, which stands at its start then.
unique_fd receive_file(int socket, std::uint64_t left,
                       const std::filesystem::path& directory) {
  unique_fd file{
    ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
  if (!file)
    throw std::system_error(errno, std::generic_category(),
                            "cannot make a file for contents of Git LFS");
  constexpr std::uint64_t piece = 65536;
  while (left > 0) {
    auto bytes = read_exactly(socket, std::min(left, piece));
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
      if (asked.what == verb::fetch)
        serve_fetch(who, asked.path, asked.protocol, socket);
      else if (asked.what == verb::push)
        serve_push(who, asked.path, socket);
      else if (asked.what == verb::get_contents)
        serve_contents(who, asked.path, socket);
      else
        take_contents(who, asked.path, socket);
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

void origin_server::serve_contents(const transfer_grant& who,
                                   const std::string& what, int socket) {
  auto object = read_object(what);
  auto place = parts_.git->fetch_lfs(who.project, object);
  unique_fd file{::open(place.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file)
    throw refused{errc::unavailable, "the contents cannot be read, try again"};
  write_all(socket, make_packet("ok\n"));
  send_file(socket, file.get(), object.size);
}

void origin_server::take_contents(const transfer_grant& who,
                                  const std::string& what, int socket) {
  auto object = read_object(what);
  if (object.size > parts_.max_push)
    throw refused{errc::body_too_large,
                  "a file of Git LFS may have " + format_size(parts_.max_push)
                    + " here (git.max_push in the server's configuration)"};
  write_all(socket, make_packet("ok\n"));
  auto file = receive_file(socket, object.size, parts_.git->scratch());
  parts_.git->deliver_lfs(who.project, object, file.get());
  write_all(socket, make_packet("ok\n"));
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
