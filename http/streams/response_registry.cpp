#include "http/streams/response_registry.hpp"

#include "messages/errors.hpp"
#include "runtime/base/guarded.hpp"

#include <spdlog/spdlog.h>

#include <vector>

namespace greenroom::http {

namespace {

/// A request takes seconds from its key to its stream, so the last ones do.
constexpr std::size_t max_dead_keys = 4096;

void report(const char* why) {
  spdlog::error("a stream or terminal failed: {}", why);
}

} // namespace

bool stream_shares::has_room(const std::string& key_id) const {
  std::lock_guard guard{mutex_};
  auto found = open_.find(key_id);
  return found == open_.end() || found->second < max_of_key_;
}

void stream_shares::add(const std::string& key_id) {
  std::lock_guard guard{mutex_};
  ++open_[key_id];
}

void stream_shares::remove(const std::string& key_id) {
  std::lock_guard guard{mutex_};
  if (auto found = open_.find(key_id);
      found != open_.end() && --found->second == 0)
    open_.erase(found);
}

void response_registry::admit(const std::string& key_id) const {
  if (!shares_.has_room(key_id))
    throw refused(errc::overloaded,
                  "this API key has " + std::to_string(shares_.max_of_key())
                    + " streams, outputs, terminals and waits open, which is "
                      "all that one key may have; close some of them");
}

void response_registry::add(std::shared_ptr<long_response> stream) {
  if (ended_ || dead_keys_.contains(stream->key_id())) {
    stream->close();
    return;
  }
  auto id = stream->connection_id();
  shares_.add(stream->key_id());
  streams_.emplace(id, std::move(stream));
}

void response_registry::remove(const long_response& stream) {
  auto [begin, end] = streams_.equal_range(stream.connection_id());
  for (auto i = begin; i != end; ++i)
    if (i->second.get() == &stream) {
      shares_.remove(stream.key_id());
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
