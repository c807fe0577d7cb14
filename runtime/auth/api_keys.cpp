#include "runtime/auth/api_keys.hpp"

#include "messages/errors.hpp"
#include "messages/ids.hpp"
#include "runtime/auth/key_names.hpp"
#include "runtime/auth/logins.hpp"
#include "runtime/auth/scopes.hpp"
#include "runtime/auth/stream_tickets.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace greenroom {

namespace {

// What git takes as an identity without cutting anything off.
bool is_author(std::string_view text) {
  auto open = text.find(" <");
  return text.size() <= 200 && open != 0 && open != text.npos
         && text.ends_with('>') && text.size() > open + 3
         && std::ranges::count(text, '<') == 1
         && std::ranges::count(text, '>') == 1
         && std::ranges::none_of(text, [](char c) {
              auto byte = static_cast<unsigned char>(c);
              return byte < 0x20 || byte == 0x7f;
            });
}

std::string list_of_scopes() {
  std::string result;
  for (auto known : all_scopes)
    result.append(result.empty() ? "" : ", ").append(known);
  return result;
}

bool lasts(const key_record& key, unix_ms now) {
  return key.expires_at == 0 || key.expires_at > now;
}

} // namespace

// -- key_table ----------------------------------------------------------------

std::size_t
key_table::digest_hash::operator()(const sha256_digest& digest) const noexcept {
  // Any bytes of a digest are as good as a hash of all.
  std::size_t result;
  std::memcpy(&result, digest.data(), sizeof result);
  return result;
}

key_table::key_table(std::vector<key_record> keys) {
  keys_.reserve(keys.size());
  for (auto& key : keys) {
    auto digest = parse_sha256(key.secret_hash);
    if (!digest)
      throw std::runtime_error("key " + key.id + " has no SHA-256 for a hash");
    auto& kept = keys_.emplace(*digest, std::move(key)).first->second;
    by_id_.emplace(kept.id, &kept);
  }
}

const key_record* key_table::find(std::string_view secret, unix_ms now) const {
  auto found = keys_.find(sha256(secret));
  return found != keys_.end() && lasts(found->second, now) ? &found->second
                                                           : nullptr;
}

const key_record* key_table::find_id(const std::string& id, unix_ms now) const {
  auto found = by_id_.find(id);
  return found != by_id_.end() && lasts(*found->second, now) ? found->second
                                                             : nullptr;
}

bool key_table::all_reach(std::string_view one, std::string_view other,
                          unix_ms now) const {
  return std::ranges::all_of(keys_, [&](const auto& entry) {
    auto& key = entry.second;
    return !lasts(key, now) || !allows_project(key, one)
           || allows_project(key, other);
  });
}

// -- key_ring -----------------------------------------------------------------

// What is signed with a key made of the administrator's.
struct key_ring::signers {
  explicit signers(std::string_view admin_secret)
    : of_logins(admin_secret), of_tickets(admin_secret) {}

  const greenroom::logins of_logins;
  stream_tickets of_tickets;
};

key_ring::~key_ring() = default;

key_ring::key_ring(std::string_view admin_secret) {
  admin_.id = admin_key_id;
  admin_.name = admin_key_id;
  admin_.scopes = {std::string{scope::admin}};
  replace_admin(admin_secret);
}

const greenroom::logins& key_ring::logins() const noexcept {
  return signers_.load()->of_logins;
}

stream_tickets& key_ring::tickets() const noexcept {
  return signers_.load()->of_tickets;
}

void key_ring::replace(std::vector<key_record> keys) {
  std::lock_guard changing{change_};
  keys_ = std::move(keys);
  publish();
}

bool key_ring::replace_admin(std::string_view secret) {
  std::lock_guard changing{change_};
  auto hash = sha256_hex(secret);
  if (hash == admin_.secret_hash)
    return false;
  all_signers_.push_back(std::make_unique<signers>(secret));
  signers_ = all_signers_.back().get();
  admin_.secret_hash = std::move(hash);
  publish();
  return true;
}

void key_ring::publish() {
  // First, so that no stored key can take the administrator's place.
  std::vector<key_record> all{admin_};
  all.insert(all.end(), keys_.begin(), keys_.end());
  auto table = std::make_shared<const key_table>(std::move(all));
  // The old one is freed after the lock, not under it.
  std::lock_guard guard{mutex_};
  table_.swap(table);
}

// -- making keys --------------------------------------------------------------

std::string make_secret() {
  return "gr_" + random_hex(32);
}

std::string author_text(const caller& by) {
  if (!by.author.empty() || by.key_id.empty())
    return by.author;
  return (by.key_name.empty() ? by.key_id : by.key_name) + " <" + by.key_id
         + "@greenroom.invalid>";
}

made_key make_key(std::string name, std::vector<std::string> scopes,
                  std::vector<std::string> projects, unix_ms expires_at,
                  std::string author) {
  const auto now = now_ms();
  if (!is_key_name(name))
    refuse(key_name_rule());
  if (!author.empty() && !is_author(author))
    refuse("author must have the form \"Name <mail@example.org>\"");
  if (scopes.empty())
    refuse("scopes must name at least one of " + list_of_scopes());
  for (const auto& one : scopes)
    if (!is_scope(one))
      refuse("scopes has \"" + one + "\", but knows only " + list_of_scopes());
  for (const auto& one : projects)
    if (!is_project_id(one))
      refuse("projects has \"" + one + "\", which is no project id");
  if (expires_at != 0 && expires_at <= now)
    refuse("expires_in must lie in the future");
  made_key result;
  result.secret = make_secret();
  auto& record = result.record;
  record.id = make_id();
  record.name = std::move(name);
  record.author = std::move(author);
  record.secret_hash = sha256_hex(result.secret);
  record.scopes = std::move(scopes);
  record.projects = std::move(projects);
  record.created_at = now;
  record.expires_at = expires_at;
  return result;
}

} // namespace greenroom
