// One session's files, and what is done with them: timeline, intents, output
// logs, the index of its execs.
//
//   session_files.cpp  the timeline: opened, appended to; intents
//   output.cpp         what commands have printed
//   archive.cpp        execs that are in the timeline only
//   recovery.cpp       what lies there of a session that is taken up again
//
// Knows no threads and no actors: a journal writer (writers.hpp) calls it, one
// request after the other.
#pragma once

#include "actors/session/journal/requests.hpp"
#include "runtime/timeline/event_encoding.hpp"
#include "runtime/timeline/output_event_splitter.hpp"
#include "runtime/timeline/timeline.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace greenroom {
class fsync_queue;
}

namespace greenroom::journal {

class refusals;

/// A page of the execs in memory and of those of the archive. `json_of` makes
/// the JSON of an archived one; that of the others is left out. Throws what
/// `json_of` throws.
page_listed
make_page(list_page& what, std::vector<archived_exec> archived,
          const std::function<std::string(const archived_exec&)>& json_of);

class session_files {
public:
  /// `syncer` must outlive it, and `refused`, where there is one, which is told
  /// of what the timeline does not take. What all execs leave on disk, output,
  /// commands and events, may be `max_output` bytes, 0: as much as it likes.
  /// Each gets what is left of it for its own output, and at least 64 KiB; what
  /// would go beyond it by more than a sixteenth is not kept, and so not run.
  /// Touches nothing yet.
  session_files(const std::filesystem::path& data_dir, std::string session_id,
                fsync_queue* syncer, std::uint64_t max_output = 0,
                refusals* refused = nullptr);

  /// Nothing is written any more.
  void close() noexcept;

  /// Performs a request. Throws nothing: what goes wrong is in the result.
  std::optional<any_result> perform(any_request& what);

  /// Events are only held until they are flushed together, with a result for
  /// all of them: `appended` or `not_appended`.
  void hold(append& what);
  any_result flush();
  bool has_held() const noexcept {
    return held_requests_ > 0;
  }

private:
  std::optional<any_result> operator()(open& what);
  std::optional<any_result> operator()(append& what);
  std::optional<any_result> operator()(keep_intent& what);
  std::optional<any_result> operator()(mark_sent& what);
  std::optional<any_result> operator()(announce_output& what);
  std::optional<any_result> operator()(settle& what);
  std::optional<any_result> operator()(add_output& what);
  std::optional<any_result> operator()(archive_exec& what);
  std::optional<any_result> operator()(recall_exec& what);
  std::optional<any_result> operator()(list_page& what);
  std::optional<any_result> operator()(make_room& what);

  /// How many events the timeline has of the last change that it knows.
  struct last_change {
    std::uint64_t version = 0;
    std::size_t events = 0;
  };

  void open_files(const open& what);
  std::filesystem::path exec_dir(const std::string& exec_id) const;
  bool write(std::vector<timeline_entry>& entries);
  void note_refusal(const std::exception& fault);
  void drop_first_input(const std::string& exec_id) const;
  bool write_intent(keep_intent& what);
  void limit_output(keep_intent& what);
  std::uint64_t bytes_on_disk();
  std::optional<refusal> why_full(const keep_intent& what);
  bool mark(const std::string& exec_id, bool sent);
  bool send(const keep_intent& what);
  void announce(output_event_splitter& splitter, const announce_output& what,
                output_announced& result);
  exec_record load(const archived_exec& place) const;
  void recover(const open& what, opened& result);
  void open_timeline(const open& what);
  bool was_elsewhere(const open& what) const;
  void put_aside(std::uint64_t epoch);
  std::vector<timeline_entry> complete_timeline(const open& what,
                                                const last_change& known);

  std::string data_dir_;
  std::filesystem::path dir_;
  std::string id_;
  std::string project_id_;
  std::uint64_t epoch_ = 0;
  bool elsewhere_ = false; // another node had it since it was here last
  bool removed_ = false;   // its directory, by somebody else than this node
  fsync_queue* syncer_;
  std::uint64_t max_output_;
  refusals* refused_;
  std::optional<timeline_writer> timeline_;
  std::optional<exec_index> archive_;
  // What the disk has not taken yet, oldest first, and how many requests wait
  // for an answer about it. Sessions admit no work meanwhile, so it is no more
  // than the execs in memory can bring about.
  std::vector<timeline_entry> held_;
  std::size_t held_requests_ = 0;
  std::map<std::string, output_event_splitter> splitters_; // of execs, not over
  // What execs have left on disk, as far as it is announced; looked up when the
  // first command comes.
  std::optional<std::uint64_t> bytes_on_disk_;
};

} // namespace greenroom::journal
