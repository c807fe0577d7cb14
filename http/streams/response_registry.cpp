#include "http/streams/response_registry.hpp"

#include "http/base/limit_reached.hpp"
#include "runtime/auth/api_keys.hpp"
#include "runtime/base/guarded.hpp"

#include <spdlog/spdlog.h>

#include <array>
#include <numeric>
#include <string>
#include <vector>

namespace greenroom::http {

namespace {

/// A request takes seconds from its key to its stream, so the last ones do.
constexpr std::size_t max_dead_keys = 4096;

std::size_t sum_of(const stream_counts& open) {
  return std::accumulate(open.begin(), open.end(), std::size_t{0});
}

/// "2 event streams, 1 tunnels": of whom there are any.
std::string shown(const stream_counts& open) {
  constexpr std::array<std::string_view, 5> names{"event streams", "outputs",
                                                  "terminals", "tunnels",
                                                  "waits and other answers"};
  std::string result;
  for (std::size_t i = 0; i < open.size(); ++i)
    if (open[i] != 0)
      result += (result.empty() ? "" : ", ") + std::to_string(open[i]) + ' '
                + std::string{names[i]};
  return result;
}

void report(const char* why) {
  spdlog::error("a stream or terminal failed: {}", why);
}

} // namespace

refusal why_closed(closing why) {
  switch (why) {
    case closing::revoked:
      return {errc::unauthorized, "the API key was revoked meanwhile"};
    case closing::expired:
      return {errc::unauthorized, "the API key has expired meanwhile"};
    case closing::left:
    case closing::stopping:
      break;
  }
  return {errc::unavailable, "the server is stopping, try again"};
}

ws::close_code code_of(closing why) noexcept {
  return why == closing::expired ? ws::close_code::policy
                                 : ws::close_code::going_away;
}

long_response::long_response(const exchange& of)
  : key_id_(of.key->id), expires_at_(of.key->expires_at),
    connection_id_(of.connection_id()) {}

stream_counts stream_shares::open_of(const std::string& key_id) const {
  std::lock_guard guard{mutex_};
  auto found = open_.find(key_id);
  return found == open_.end() ? stream_counts{} : found->second;
}

void stream_shares::add(const std::string& key_id, stream_kind kind) {
  std::lock_guard guard{mutex_};
  ++open_[key_id][static_cast<std::size_t>(kind)];
}

void stream_shares::remove(const std::string& key_id, stream_kind kind) {
  std::lock_guard guard{mutex_};
  auto found = open_.find(key_id);
  if (found == open_.end())
    return;
  --found->second[static_cast<std::size_t>(kind)];
  if (sum_of(found->second) == 0)
    open_.erase(found);
}

std::shared_ptr<void> stream_shares::take_pair() {
  if (pairs_.fetch_add(1) < max_pairs_)
    return {this, [this](void*) { --pairs_; }};
  --pairs_;
  return nullptr;
}

std::shared_ptr<void> response_registry::admit_pair() const {
  auto place = shares_.take_pair();
  if (!place)
    throw refused{errc::overloaded,
                  "tunnels and requests to other nodes take a second "
                  "connection each, and this node has descriptors for "
                    + std::to_string(shares_.max_pairs())
                    + " (its limit of open files); try again when some have "
                      "ended"};
  return place;
}

void response_registry::admit(const std::string& key_id) const {
  const auto open = shares_.open_of(key_id);
  const auto all = sum_of(open);
  if (all < shares_.max_of_key())
    return;
  throw limit_reached("key \"" + key_id + "\" has " + std::to_string(all)
                        + " streams open (" + shown(open)
                        + "), and its limit is "
                        + std::to_string(shares_.max_of_key())
                        + " (limits.open_streams); close some of them",
                      shares_.max_of_key());
}

std::optional<closing>
response_registry::fault_of(const long_response& stream) const {
  if (ended_)
    return closing::stopping;
  if (dead_keys_.contains(stream.key_id()))
    return closing::revoked;
  if (stream.has_expired(now_ms()))
    return closing::expired;
  return std::nullopt;
}

bool response_registry::add(std::shared_ptr<long_response> stream) {
  if (auto why = fault_of(*stream)) {
    stream->close(*why);
    return false;
  }
  auto id = stream->connection_id();
  shares_.add(stream->key_id(), stream->kind());
  streams_.emplace(id, std::move(stream));
  return true;
}

void response_registry::remove(const long_response& stream) {
  auto [begin, end] = streams_.equal_range(stream.connection_id());
  for (auto i = begin; i != end; ++i)
    if (i->second.get() == &stream) {
      shares_.remove(stream.key_id(), stream.kind());
      streams_.erase(i);
      return;
    }
}

// Closing a stream removes it from the table, so the ones to close are picked
// first.
template <class Predicate>
void response_registry::close_if(closing why, Predicate matches) {
  std::vector<std::shared_ptr<long_response>> found;
  for (auto& [connection, stream] : streams_)
    if (matches(*stream))
      found.push_back(stream);
  for (auto& stream : found)
    run_guarded([&] { stream->close(why); }, report);
}

void response_registry::tick() {
  auto now = long_response::clock::now();
  auto wall = now_ms();
  std::vector<std::shared_ptr<long_response>> all;
  all.reserve(streams_.size());
  for (auto& [connection, stream] : streams_)
    all.push_back(stream);
  for (auto& stream : all)
    run_guarded(
      [&] {
        if (stream->has_expired(wall))
          stream->close(closing::expired);
        else
          stream->tick(now);
      },
      report);
}

void response_registry::connection_closed(std::uint64_t connection_id) {
  for (auto i = streams_.find(connection_id); i != streams_.end();
       i = streams_.find(connection_id)) {
    auto stream = i->second;
    stream->close(closing::left);
  }
}

void response_registry::end_key(std::string_view key_id) {
  if (dead_keys_.size() == max_dead_keys)
    dead_keys_.erase(dead_keys_.begin());
  dead_keys_.emplace(key_id);
  close_if(closing::revoked,
           [&](const long_response& s) { return s.key_id() == key_id; });
}

void response_registry::end_all() {
  ended_ = true;
  close_if(closing::stopping, [](const long_response&) { return true; });
}

} // namespace greenroom::http
