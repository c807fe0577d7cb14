// Events as clients get them: JSON, and text/event-stream around it.
//
// A batch is encoded once and shared by all who watch; `select` picks what one
// watcher asked for out of it without encoding again.
#pragma once

#include "messages/events.hpp"
#include "runtime/timeline/timeline_entry.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace greenroom {

/// Appends the data of an exec.output event whose bytes are `bytes`: `time`,
/// `session_id`, `exec_id`, `stream`, `offset`, `data`, `encoding` ("utf-8", or
/// "base64" for what is not UTF-8 or over twice as long in JSON), and `lost`
/// for bytes printed before these that were not kept. Bytes that should be
/// there by the entry are not made up: where `bytes` is shorter than the
/// entry's length, `data` is empty and the length counts as lost too.
void append_output_json(std::string& out, std::string_view session_id,
                        const timeline_entry& entry, std::string_view bytes);

/// The data of a stream.gap: `time`, `session_id`, `requested`, the id that
/// the watcher had, and `first_available`, the id of the next event it gets.
std::string gap_data_json(unix_ms time, std::string_view session_id,
                          const event_id& requested,
                          const event_id& first_available);

/// Appends one event as text/event-stream: event, data, id and an empty line.
/// The id comes last because there are clients that take it as soon as its line
/// is read: of an event that is cut short before, they keep no id, and get it
/// again. `data_json` must be on one line, which JSON without indentation is.
void append_sse(std::string& out, const event_id& id, event_kind kind,
                std::string_view data_json);

/// Gets the data of a session's events, with the bytes of exec.output from the
/// logs in the session's directory. Keeps a few logs open between calls, with
/// what was last read of them: make one for a run of events, not for a session.
/// For one thread at a time.
class event_data {
public:
  /// `ahead`: where an event's bytes are not at hand, so many are read at once,
  /// for the events that follow.
  event_data(std::filesystem::path session_dir, std::string session_id,
             std::size_t ahead = 0);

  /// Appends the entry's JSON object. Throws std::system_error where a log
  /// cannot be read; a log that is gone or too short is no error (see
  /// append_output_json).
  void append_json(std::string& out, const timeline_entry& entry);

  /// An exec's log, valid until another exec's is asked for.
  const output_log_reader& log(std::string_view exec_id);

  /// Bytes of a log, fewer only at its end; valid until the next call. Reads
  /// what is not at hand, and up to `known_end` what follows it, where the
  /// index may end: behind it bytes may be written anew. Throws as append_json
  /// does.
  std::string_view bytes(std::string_view exec_id, output_stream stream,
                         std::uint64_t offset, std::size_t length,
                         std::uint64_t known_end = 0);

  std::string_view session_id() const noexcept {
    return session_id_;
  }

private:
  struct window {
    std::uint64_t offset = 0;
    std::size_t size = 0;
    std::size_t room = 0;
    std::unique_ptr<char[]> bytes;
  };
  struct open_log {
    explicit open_log(std::filesystem::path dir) : reader(std::move(dir)) {}
    output_log_reader reader;
    std::array<window, output_streams> windows;
  };

  open_log& opened(std::string_view exec_id);

  std::filesystem::path session_dir_;
  std::string session_id_;
  std::size_t ahead_;
  std::map<std::string, open_log, std::less<>> logs_;
};

/// Encodes consecutive events, of which the first follows `after`. Throws as
/// event_data does.
event_batch encode_batch(event_data& data,
                         std::span<const timeline_entry> entries,
                         std::uint64_t after);

/// The parts of a batch's text that pass the filter, neighbours joined. They
/// point into the batch's text and live as long as it does.
std::vector<std::string_view> select(const event_batch& batch,
                                     const event_filter& filter);

/// Builds a batch event by event.
class batch_builder {
public:
  /// `data` must outlive it. `expected_size`: of the text, room for which is
  /// made at once.
  batch_builder(event_data& data, std::uint64_t after,
                std::size_t expected_size);

  /// Adds the event, with its text if `wanted`. Each must follow the last.
  void add(const timeline_entry& entry, bool wanted = true);

  std::size_t text_size() const noexcept {
    return text_.size();
  }

  event_batch finish() &&;

private:
  event_data& data_;
  event_batch batch_;
  std::string text_;
};

} // namespace greenroom
