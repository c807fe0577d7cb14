// What lies on disk of a session that is taken up again: after a crash of its
// actor or of the node, or when somebody asks for a session that is over.
#include "actors/session/journal/life_entry.hpp"
#include "actors/session/journal/port_history.hpp"
#include "actors/session/journal/session_files.hpp"

#include "runtime/api_json/records.hpp"
#include "runtime/base/files.hpp"
#include "runtime/exec/outcome.hpp"
#include "runtime/exec/output/output_log.hpp"
#include "runtime/exec/spec.hpp"
#include "runtime/runner/client/runner_client.hpp"
#include "runtime/timeline/replay.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

namespace greenroom::journal {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t entries_at_once = 4096;
constexpr std::size_t read_at_once = 1024 * 1024;

constexpr const char* epoch_file = "epoch"; // of the last actor that was here

bool is_there(const fs::path& path) {
  return fs::exists(fs::symlink_status(path));
}

const event_field* field_of(const session_event& event, std::string_view name) {
  auto found = std::ranges::find(event.fields, name, &event_field::name);
  return found == event.fields.end() ? nullptr : &*found;
}

std::string text_of(const session_event& event, std::string_view name) {
  auto* field = field_of(event, name);
  return field == nullptr ? std::string{} : field->text;
}

bool flag_of(const session_event& event, std::string_view name) {
  auto* field = field_of(event, name);
  return field != nullptr && field->number != 0;
}

// What the last stored change was asked to do lies in the event that announced
// it; what a check-in is to do, in the one that began it: that a DELETE waits
// for it may have been stored since.
session::last_change change_in(const session_record& record,
                               const std::vector<session_event>& outbox) {
  session::last_change result;
  result.announces_setup =
    !outbox.empty() && outbox.back().version == record.version
    && field_of(outbox.back(), session::setup_field) != nullptr;
  const auto began =
    std::find_if(outbox.rbegin(), outbox.rend(), [](const auto& event) {
      return event.kind == event_kind::checkin_started;
    });
  if (began == outbox.rend())
    return result;
  auto& event = *began;
  result.author = {text_of(event, "by"), text_of(event, "by_name"),
                   text_of(event, "author")};
  result.message = text_of(event, "message");
  result.skip_review = flag_of(event, "skip_review");
  result.auto_merge = flag_of(event, "auto_merge");
  return result;
}

/// Reads a timeline from its beginning: execs are what it says of them;
/// requests lie beside the logs.
class past_reader {
public:
  past_reader(fs::path dir, std::size_t max_finished, exec_index& archive,
              opened& result)
    : dir_(std::move(dir)), max_finished_(max_finished), archive_(archive),
      result_(result) {}

  void read() {
    timeline_reader reader{dir_};
    std::uint64_t after = 0;
    for (;;) {
      auto entries = reader.entries(after, entries_at_once, read_at_once);
      if (entries.empty())
        break;
      if (first_epoch_ == 0)
        first_epoch_ = entries.front().id.epoch;
      after = entries.back().id.seq;
      for (auto& entry : entries)
        take(entry);
    }
  }

  void take(const timeline_entry& entry) {
    if (entry.version != 0) {
      events_ = entry.version == version_ ? events_ + 1 : 1;
      version_ = entry.version;
    }
    auto& past = result_.past;
    switch (entry.kind) {
      case event_kind::session_ended:
        result_.end_published = true;
        return;
      case event_kind::session_moved: {
        moved_ = true;
        auto data = nlohmann::json::parse(entry.data, nullptr, false);
        result_.arriving = data.is_object() && data.value("restoring", false);
        return;
      }
      case event_kind::port_opened:
      case event_kind::port_closed:
        return take_port(entry, result_.ports, result_.closed_ports);
      case event_kind::git_pushed:
      case event_kind::git_committed: {
        past.used = true;
        auto data = nlohmann::json::parse(entry.data, nullptr, false);
        // A push from inside moves the upstream's branch.
        if (entry.kind == event_kind::git_committed || !data.is_object()
            || data.value("by", "") != "session")
          past.tip = data.is_object() ? data.value("new", "") : "";
        return;
      }
      case event_kind::exec_queued:
        return add(entry);
      case event_kind::exec_started:
      case event_kind::exec_exited:
        return change(entry);
      default:
        return;
    }
  }

  void finish() {
    for (auto& [exec_id, place] : places_)
      result_.places.emplace_back(exec_id, place);
  }

  /// True if the session came with this epoch from another node, and nobody was
  /// told of that.
  bool is_untold(std::uint64_t home_epoch) const noexcept {
    return home_epoch > 1 && !moved_
           && (first_epoch_ == 0 || first_epoch_ >= home_epoch);
  }
  std::uint64_t version() const noexcept {
    return version_;
  }
  std::size_t events() const noexcept {
    return events_;
  }

private:
  void add(const timeline_entry& entry) {
    exec_record exec;
    if (auto request = kept_request(dir_ / runner::exec_dir(entry.exec_id)))
      exec.spec = std::move(*request);
    exec.spec.exec_id = entry.exec_id;
    read_exec_json(entry.data, exec);
    places_[entry.exec_id].queued = entry.id.seq;
    auto& past = result_.past;
    if (past.execs.emplace(entry.exec_id, std::move(exec)).second)
      past.order.push_back(entry.exec_id);
  }

  void change(const timeline_entry& entry) {
    auto& past = result_.past;
    // One that another node has had is known by its end only.
    if (entry.kind == event_kind::exec_exited
        && !past.execs.contains(entry.exec_id))
      add(entry);
    auto found = past.execs.find(entry.exec_id);
    if (found == past.execs.end())
      return;
    read_exec_json(entry.data, found->second);
    if (entry.kind == event_kind::exec_started) {
      past.used = true;
      return;
    }
    places_[entry.exec_id].exited = entry.id.seq;
    past.finalized.push_back(entry.exec_id);
    forget_surplus();
  }

  // No more than a session that was never away holds.
  void forget_surplus() {
    auto& past = result_.past;
    if (past.finalized.size() <= max_finished_)
      return;
    auto id = std::move(past.finalized.front());
    past.finalized.pop_front();
    past.execs.erase(id);
    std::erase(past.order, id);
    if (auto place = places_.extract(id)) {
      archive_.add({id, place.mapped().queued, place.mapped().exited});
      ++result_.archived;
    }
  }

  const fs::path dir_;
  const std::size_t max_finished_;
  exec_index& archive_;
  opened& result_;
  std::map<std::string, exec_place> places_;
  std::uint64_t first_epoch_ = 0; // of the timeline; 0: it is empty
  bool moved_ = false;
  std::uint64_t version_ = 0; // of the last change that was announced
  std::size_t events_ = 0;    // of that change
};

// As the runner judges it.
bool has_run(const fs::path& exec_dir) {
  return fs::exists(exec_dir / runner::exit_file)
         || fs::exists(exec_dir / output_index_file);
}

// Of execs that are not over.
void read_files(const fs::path& dir, bool live, session::past& past) {
  for (auto& [id, exec] : past.execs) {
    if (is_over(exec.status))
      continue;
    auto place = dir / runner::exec_dir(id);
    // What has run was sent, whatever became of the mark.
    if (live
        && (was_sent(place) || exec.status == exec_status::running
            || has_run(place)))
      past.sent.insert(id);
    if (auto end = live ? std::nullopt : read_exit_record(place))
      past.outcomes.emplace(id, outcome_of(*end));
  }
}

// What of the output of execs is yet to be announced.
std::vector<open_output>
read_outputs(const fs::path& dir, const session::past& past,
             std::map<std::string, output_event_splitter>& splitters) {
  std::vector<std::string> open;
  for (auto& id : past.order)
    if (!is_over(past.execs.at(id).status))
      open.push_back(id);
  std::vector<open_output> result;
  if (open.empty())
    return result;
  splitters = resume_splitters(dir, open);
  for (auto& exec_id : open) {
    open_output output{exec_id};
    if (auto found = splitters.find(exec_id); found != splitters.end()) {
      output.records = found->second.records();
      output.printed = found->second.progress().recorded;
    }
    result.push_back(std::move(output));
  }
  return result;
}

} // namespace

void session_files::recover(const open& what, opened& result) {
  auto& record = what.record;
  auto live = is_live(record.status);
  result.past.elsewhere = live && elsewhere_;
  result.past.came = live && what.home_epoch > 1;
  result.past.removed = live && removed_;
  past_reader reader{dir_, what.max_finished, *archive_, result};
  reader.read();
  result.moved = live && what.roams && reader.is_untold(what.home_epoch);
  for (auto& entry :
       complete_timeline(what, {reader.version(), reader.events()}))
    reader.take(entry);
  reader.finish();
  auto& past = result.past;
  read_files(dir_, live, past);
  if (live)
    result.outputs = read_outputs(dir_, past, splitters_);
  else
    result.ports.clear();
  past.listens = !result.ports.empty();
  past.checkout = fs::exists(fs::symlink_status(dir_ / "checkout"));
  past.setup_known = past.execs.contains(session::setup_exec)
                     || archive_->find(session::setup_exec).has_value();
  past.last = change_in(record, what.outbox);
}

// Where another node has had the session, its events go on at a number that
// none before can have reached, since each node that has it raises the epoch.
// Nobody raises it for one that is over: whoever is asked for it then gives
// what the store has of it numbers beyond those of its last owner, and all give
// the same.
void session_files::open_timeline(const open& what) {
  constexpr std::uint64_t events_of_an_epoch = 1'000'000'000;
  auto after =
    what.revived && what.roams ? what.record.epoch * events_of_an_epoch : 0;
  if (after != 0 && !is_live(what.record.status))
    after += events_of_an_epoch / 2;
  timeline_.emplace(dir_, after);
  if (what.revived && what.roams) {
    if (was_elsewhere(what)) {
      elsewhere_ = true;
      put_aside(timeline_->last_id().epoch);
      timeline_.emplace(dir_, after);
    }
    write_file_atomic(dir_ / epoch_file, std::to_string(what.record.epoch),
                      0600, false);
  }
  archive_.emplace(dir_);
}

// Each actor that has the session raises its epoch, and so does each change of
// its node. How often actors tried in vain says nothing: what counts is whether
// the last that was here had it before it came here. Where that is not known,
// more than a node that takes it back can have raised it has to be another's.
bool session_files::was_elsewhere(const open& what) const {
  constexpr std::uint64_t taken_back = 2;
  std::uint64_t known = timeline_->last_id().epoch;
  if (auto text = read_file(dir_ / epoch_file)) {
    std::uint64_t kept = 0;
    std::from_chars(text->data(), text->data() + text->size(), kept);
    known = std::max(known, kept);
  }
  if (known == 0)
    return false;
  return what.home_epoch != 0 ? known < what.home_epoch
                              : known + taken_back < what.record.epoch;
}

// It may have what never got to a checkpoint, so all of it is kept.
void session_files::put_aside(std::uint64_t epoch) {
  spdlog::warn("session {}: another node had it since, what lay here is kept "
               "with the ending .of-epoch-{}",
               id_, epoch);
  for (auto name :
       {"checkout", "timeline", "timeline.index", "exec", "execs.index"}) {
    auto path = dir_ / name;
    auto place =
      dir_ / (name + std::string{".of-epoch-"} + std::to_string(epoch));
    // One of a try that was cut short may be there.
    auto aside = place;
    for (int i = 2; is_there(aside); ++i)
      aside = place.string() + '.' + std::to_string(i);
    if (is_there(path))
      fs::rename(path, aside);
  }
  fs::create_directories(dir_ / "exec");
}

// The store had the change, but the crash came before the timeline did; or a
// power cut has taken the timeline's end away.
std::vector<timeline_entry>
session_files::complete_timeline(const open& what, const last_change& known) {
  std::vector<timeline_entry> missing;
  std::size_t seen = 0; // of the last change that the timeline knows
  for (auto& event : what.outbox)
    if (event.version > known.version
        || (event.version == known.version && ++seen > known.events))
      missing.push_back(entry_of(what.record, event, 0, what.preview_url));
  if (missing.empty())
    return missing;
  spdlog::info("session {}: {} events added that the timeline lacked", id_,
               missing.size());
  // What the disk does not take now waits for the session's first try.
  held_ = missing;
  flush();
  return held_.empty() ? missing : std::vector<timeline_entry>{};
}

} // namespace greenroom::journal
