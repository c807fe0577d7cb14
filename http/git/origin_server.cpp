#include "http/git/origin_server.hpp"

#include "http/base/reply.hpp"
#include "http/edge/blocking_ask.hpp"
#include "http/edge/notify.hpp"
#include "http/git/change_audit.hpp"
#include "http/git/origin_wish.hpp"
#include "http/git/pkt_line.hpp"
#include "http/git/push_request.hpp"
#include "http/git/route.hpp"
#include "messages/errors.hpp"
#include "messages/ids.hpp"
#include "messages/time.hpp"
#include "runtime/auth/api_keys.hpp"
#include "runtime/base/sizes.hpp"
#include "runtime/git/common/repository_name.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

namespace greenroom::http::git_http {

namespace {

using peer = origin_peer;
using clock = peer::clock;
using gone = peer::gone;

constexpr std::chrono::seconds look_up{30};
constexpr std::chrono::seconds begin_timeout{60}; // to say what is wanted
constexpr std::chrono::seconds end_timeout{5};    // to hear why it is refused

// Of a sentence; it may have words of an upstream.
constexpr std::size_t max_told = 4096;

/// How git shows a sentence to its user instead of an answer.
void send_error(const peer& to, std::string sentence) {
  sentence.resize(std::min(sentence.size(), max_told));
  to.write(make_packet("ERR greenroom: " + sentence));
}

/// Lets a client that still sends hear what was said.
void hang_up(int socket) {
  ::shutdown(socket, SHUT_WR);
  const peer with{socket, clock::now() + end_timeout};
  try {
    for (;;)
      with.read(1024);
  } catch (const gone&) {
    // It has heard it, or does not listen.
  }
}

/// Its first packet. Throws refused for what cannot be asked of an origin.
origin_wish read_wish(const peer& from) {
  auto text = from.read_packet();
  auto wish = read_origin_wish(first_packet(text)->payload);
  if (!wish)
    throw refused{errc::bad_request,
                  "origin can be fetched from and pushed to, and its path has "
                  "at most "
                    + std::to_string(max_origin_path) + " bytes"};
  return std::move(*wish);
}

git::lfs_object read_object(const std::string& text) {
  auto object = read_lfs_wish(text);
  if (!object)
    throw gone{};
  return std::move(*object);
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
    begun += from.read_packet();
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
  timeval limit{origin_silence.count(), 0};
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
  const peer with{socket, clock::now() + origin_talk_timeout};
  try {
    std::exception_ptr fault;
    try {
      auto asked = read_wish({socket, clock::now() + begin_timeout});
      auto who = admit(session_id);
      if (asked.what == origin_verb::fetch)
        serve_fetch(who, asked.path, asked.protocol, socket);
      else if (asked.what == origin_verb::push)
        serve_push(who, asked.path, with);
      else if (asked.what == origin_verb::get_contents)
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

void origin_server::serve_contents(const transfer_grant& who,
                                   const std::string& what, const peer& to) {
  auto object = read_object(what);
  auto file = parts_.git->fetch_lfs(who.project, object);
  to.write(make_packet("ok\n"));
  to.send_file(file.get(), object.size);
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
  from.write(make_packet("ok\n"));
  auto file = from.receive_file(object.size, parts_.git->scratch());
  try {
    parts_.git->deliver_lfs(who.project, object, file.get());
  } catch (const std::exception&) {
    add_to_audit(std::move(entry), code_of(std::current_exception()));
    throw;
  }
  add_to_audit(std::move(entry), std::nullopt);
  peer{from.socket, clock::now() + end_timeout}.write(make_packet("ok\n"));
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
  with.write(advertisement(parts_.git->run(all).ids));
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
  const peer end{with.socket, clock::now() + end_timeout};
  end.write(fault.empty() ? acceptance_of(push) : refusal_of(push, fault));
}

} // namespace greenroom::http::git_http
