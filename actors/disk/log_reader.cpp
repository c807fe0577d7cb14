#include "actors/disk/log_reader.hpp"

#include "actors/base/error_boundary.hpp"
#include "runtime/base/session_paths.hpp"
#include "runtime/timeline/replay.hpp"

#include <algorithm>

namespace greenroom {

namespace {

constexpr std::size_t max_page_events = 10'000;
constexpr std::size_t max_page_bytes = 4 * 1024 * 1024;
constexpr std::size_t max_batch_bytes = 1024 * 1024;

log_reader_actor::behavior_type worker(log_reader_actor::pointer,
                                       const std::filesystem::path& data_dir) {
  auto dir = [data_dir](const std::string& session_id) {
    return session_dir(data_dir, session_id);
  };
  return {
    [dir](const read_session_events& x) {
      return guarded("reading events", [&] {
        return replay_events(
          dir(x.session_id), x.session_id, x.what.after, x.what.filter,
          std::min<std::size_t>(x.what.max_bytes, max_batch_bytes));
      });
    },
    [dir](const read_session_timeline& x) {
      return guarded("reading the timeline", [&] {
        auto limit = x.what.limit == 0
                       ? max_page_events
                       : std::min<std::size_t>(x.what.limit, max_page_events);
        auto text =
          read_timeline_json(dir(x.session_id), x.session_id, x.what.after,
                             limit, max_page_bytes, x.what.filter);
        return timeline_page{shared_text{std::move(text.json)},
                             text.more ? text.last_seq : 0};
      });
    },
  };
}

} // namespace

log_reader_actor::behavior_type log_reader(
  log_reader_actor::stateful_pointer<worker_pool<log_reader_actor>> self,
  std::filesystem::path data_dir, std::size_t workers, std::size_t queue) {
  auto& pool = self->state;
  pool.start(self, {workers, queue, "log-reader"}, [self, data_dir] {
    return self->spawn<caf::detached>(worker, data_dir);
  });
  return {pool.handler<event_batch, read_session_events>(),
          pool.handler<timeline_page, read_session_timeline>()};
}

} // namespace greenroom
