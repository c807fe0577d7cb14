#include "http/streams/response_registry.hpp"

#include "http/base/limit_reached.hpp"
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

void response_registry::add(std::shared_ptr<long_response> stream) {
  if (ended_ || dead_keys_.contains(stream->key_id())) {
    stream->close();
    return;
  }
  auto id = stream->connection_id();
  shares_.add(stream->key_id(), stream->kind());
  streams_.emplace(id, std::move(stream));
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
void response_registry::close_if(Predicate matches) {
  std::vector<std::shared_ptr<long_response>> found;
  for (auto& [connection, stream] : streams_)
    if (matches(*stream))
      found.push_back(stream);
  for (auto& stream : found)
    run_guarded([&] { stream->close(); }, report);
}

void response_registry::tick() {
  auto now = long_response::clock::now();
  auto wall = now_ms();
  std::vector<std::shared_ptr<long_response>> all;
  all.reserve(streams_.size());
  for (auto& [connection, stream] : streams_)
    all.push_back(stream);
  for (auto& stream : all)
    run_guarded([&] { stream->tick(now, wall); }, report);
}

void response_registry::connection_closed(std::uint64_t connection_id) {
  for (auto i = streams_.find(connection_id); i != streams_.end();
       i = streams_.find(connection_id)) {
    auto stream = i->second;
    stream->close();
  }
}

void response_registry::end_key(std::string_view key_id) {
  if (dead_keys_.size() == max_dead_keys)
    dead_keys_.erase(dead_keys_.begin());
  dead_keys_.emplace(key_id);
  close_if([&](const long_response& s) { return s.key_id() == key_id; });
}

void response_registry::end_all() {
  ended_ = true;
  close_if([](const long_response&) { return true; });
}

} // namespace greenroom::http
