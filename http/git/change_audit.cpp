#include "http/git/change_audit.hpp"

#include "http/base/reply.hpp"
#include "http/edge/ask.hpp"
#include "http/git/route.hpp"
#include "messages/errors.hpp"
#include "messages/ids.hpp"
#include "runtime/base/hex.hpp"

#include <spdlog/spdlog.h>

#include <utility>

namespace greenroom::http::git_http {

namespace {

audit_entry entry_of(const git_route& route, const char* method,
                     const char* pattern) {
  audit_entry entry;
  entry.key_name = "clone token";
  entry.method = method;
  entry.route = pattern;
  // Strangers write into a path what they like.
  if (is_project_id(route.project_id))
    entry.project_id = route.project_id;
  if (is_id(route.session_id))
    entry.session_id = route.session_id;
  return entry;
}

} // namespace

audit_entry audit_of_push(const git_route& route) {
  return entry_of(route, "POST", "/git/{id}/{sid}.git/git-receive-pack");
}

audit_entry audit_of_upload(const git_route& route) {
  auto entry =
    entry_of(route, "PUT", "/git/{id}/{sid}.git/info/lfs/objects/{oid}");
  auto slash = route.lfs.rfind('/');
  auto oid = route.lfs.substr(slash == std::string::npos ? 0 : slash + 1);
  if (is_hex(oid, sha256_digits))
    entry.object = std::move(oid);
  return entry;
}

audit_entry audit_from_inside(const std::string& project_id,
                              const std::string& session_id,
                              const std::string& lfs_oid) {
  git_route route;
  route.project_id = project_id;
  route.session_id = session_id;
  route.lfs = lfs_oid;
  auto entry = lfs_oid.empty() ? audit_of_push(route) : audit_of_upload(route);
  entry.key_name = "session";
  return entry;
}

void set_result(audit_entry& entry, int status) {
  entry.status = static_cast<std::uint16_t>(status);
  entry.code.clear();
  for (auto code :
       {errc::bad_request, errc::unauthorized, errc::forbidden, errc::not_found,
        errc::conflict, errc::unavailable, errc::timeout, errc::internal})
    if (status_of(code) == status) {
      entry.code = code_name(code);
      return;
    }
}

void change_audit::add(audit_entry entry) {
  entry.id = make_id();
  entry.time = now_ms();
  entry.node = node_;
  if (entry.status == status_of(errc::unauthorized))
    entry.key_name.clear();
  if (!to_ || !admits(entry))
    return;
  auto lost = [log = log_, entry](const ask_error& why) {
    log->error("not in the audit: {} {} project={} session={} status={} "
               "address={} request={}: {}",
               entry.method, entry.route, entry.project_id, entry.session_id,
               entry.status, entry.address, entry.request_id,
               to_refusal(why).message);
  };
  if (bridge_.full())
    return lost(handlers::too_many());
  bridge_.ask<done>(
    to_, timeout_, add_audit{{entry}}, [](const done&) {}, lost);
}

bool change_audit::admits(const audit_entry& entry) {
  if (!entry.key_name.empty())
    return true;
  if (auto now = entry.time / 1000; now != second_) {
    second_ = now;
    strangers_ = 0;
  }
  return ++strangers_ <= max_strangers;
}

} // namespace greenroom::http::git_http
