#include "http/streams/response_registry.hpp"

#include <vector>

namespace greenroom::http {

namespace {

/// A request takes seconds from its key to its stream, so the last ones do.
constexpr std::size_t max_dead_keys = 4096;

} // namespace

void stream_table::add(std::shared_ptr<open_stream> stream) {
  if (ended_ || dead_keys_.contains(stream->key_id())) {
    stream->close();
    return;
  }
  auto id = stream->connection_id();
  streams_.emplace(id, std::move(stream));
}

void stream_table::remove(const open_stream& stream) {
  auto [begin, end] = streams_.equal_range(stream.connection_id());
  for (auto i = begin; i != end; ++i)
    if (i->second.get() == &stream) {
      streams_.erase(i);
      return;
    }
}

// Closing a stream removes it from the table, so the ones to close are picked
// first.
template <class Predicate>
void stream_table::close_if(Predicate matches) {
  std::vector<std::shared_ptr<open_stream>> found;
  for (auto& [connection, stream] : streams_)
    if (matches(*stream))
      found.push_back(stream);
  for (auto& stream : found)
    stream->close();
}

void stream_table::tick() {
  auto now = open_stream::clock::now();
  auto wall = now_ms();
  std::vector<std::shared_ptr<open_stream>> all;
  all.reserve(streams_.size());
  for (auto& [connection, stream] : streams_)
    all.push_back(stream);
  for (auto& stream : all)
    stream->tick(now, wall);
}

void stream_table::connection_closed(std::uint64_t connection_id) {
  for (auto i = streams_.find(connection_id); i != streams_.end();
       i = streams_.find(connection_id)) {
    auto stream = i->second;
    stream->close();
  }
}

void stream_table::end_key(std::string_view key_id) {
  if (dead_keys_.size() == max_dead_keys)
    dead_keys_.erase(dead_keys_.begin());
  dead_keys_.emplace(key_id);
  close_if([&](const open_stream& s) { return s.key_id() == key_id; });
}

void stream_table::end_all() {
  ended_ = true;
  close_if([](const open_stream&) { return true; });
}

} // namespace greenroom::http
