#include "tests/actors/cluster/simulation/journal.hpp"

#include "actors/session/journal/life_entry.hpp"
#include "runtime/api_json/records.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <stdexcept>
#include <utility>

namespace greenroom::simulation {

namespace {

using namespace greenroom::journal;

// What it knows of the session's timeline, while it is open.
struct memory_channel : channel {
  std::string session_id;
  std::uint64_t epoch = 0;
  std::uint64_t last = 0; // seq
};

constexpr std::uint64_t events_of_an_epoch = 1'000'000'000;

// Those of one that is over are made where somebody asks for it.
std::uint64_t first_number(const session_record& record) {
  auto first = record.epoch * events_of_an_epoch;
  return is_live(record.status) ? first : first + events_of_an_epoch / 2;
}

const event_field* field_of(const session_event& event, std::string_view name) {
  auto found = std::ranges::find(event.fields, name, &event_field::name);
  return found == event.fields.end() ? nullptr : &*found;
}

session::last_change change_in(const session_record& record,
                               const std::vector<session_event>& outbox) {
  session::last_change result;
  if (outbox.empty() || outbox.back().version != record.version)
    return result;
  auto& event = outbox.back();
  auto text = [&](std::string_view name) {
    auto* field = field_of(event, name);
    return field == nullptr ? std::string{} : field->text;
  };
  auto flag = [&](std::string_view name) {
    auto* field = field_of(event, name);
    return field != nullptr && field->number != 0;
  };
  result.announces_setup = field_of(event, session::setup_field) != nullptr;
  result.author = {text("by"), text("by_name"), text("author")};
  result.message = text("message");
  result.skip_review = flag("skip_review");
  result.auto_merge = flag("auto_merge");
  return result;
}

/// What is done with one session's directory on one node.
class files {
public:
  files(stage& world, int node, memory_channel& journal)
    : stage_(world), node_(node), journal_(journal) {}

  std::optional<any_result> operator()(open& what) {
    journal_.session_id = what.record.id;
    journal_.epoch = what.record.epoch;
    opened result;
    auto away = false;
    if (what.revived && what.roams) {
      away = was_elsewhere(what);
      if (away)
        disk() = {};
      disk().epoch = what.record.epoch;
    }
    auto apart = what.revived && what.roams && !stage_.planted.seq_starts_anew;
    if (!disk().timeline.empty())
      journal_.last = disk().timeline.back().id.seq;
    else
      journal_.last = apart ? first_number(what.record) : 0;
    if (what.revived)
      recover(what, away, result);
    result.last = {disk().timeline.empty() ? 0
                                           : disk().timeline.back().id.epoch,
                   journal_.last};
    return result;
  }
  std::optional<any_result> operator()(append& what) {
    write(what.entries);
    return appended{std::move(what.entries), 1};
  }
  std::optional<any_result> operator()(keep_intent& what) {
    auto& id = what.spec.exec_id;
    disk().execs[id] = {what.spec, false, false, std::nullopt};
    std::vector<timeline_entry> entries{std::move(what.queued)};
    write(entries);
    const auto sent = disk().execs[id].sent = what.spawn && what.spawn();
    return intent_kept{id, std::move(entries.front()), sent};
  }
  std::optional<any_result> operator()(mark_sent& what) {
    disk().execs[what.exec_id].sent = true;
    return sent_marked{what.exec_id, true};
  }
  std::optional<any_result> operator()(announce_output& what) {
    output_announced result;
    result.exec_id = what.exec_id;
    result.all = true;
    result.finished = what.finish;
    result.asked = result.records = what.records;
    return result;
  }
  std::optional<any_result> operator()(settle& what) {
    settled result{what.exec_id, what.reason};
    result.outcome.ended_at = what.now;
    result.outcome.reason = what.reason;
    if (auto& end = disk().execs[what.exec_id].end)
      result.outcome = *end;
    return result;
  }
  std::optional<any_result> operator()(journal::add_output& what) {
    return output_added{what.who, what.exec_id,
                        shared_text{to_text(what.exec)}};
  }
  std::optional<any_result> operator()(journal::archive_exec&) {
    return std::nullopt;
  }
  std::optional<any_result> operator()(recall_exec& what) {
    exec_recalled result;
    result.exec_id = what.exec_id;
    return result;
  }
  std::optional<any_result> operator()(list_page& what) {
    page_listed result;
    result.who = what.who;
    return result;
  }
  std::optional<any_result> operator()(make_room&) {
    return room_made{false};
  }

private:
  machine& here() {
    return stage_.machines[static_cast<std::size_t>(node_)];
  }
  session_disk& disk() {
    return here().disks[journal_.session_id];
  }

  void write(std::vector<timeline_entry>& entries) {
    for (auto& entry : entries) {
      entry.id = {journal_.epoch, ++journal_.last};
      stage_.rules.numbered(here().name, journal_.session_id, entry);
      disk().timeline.push_back(entry);
    }
  }

  bool was_elsewhere(const open& what) {
    constexpr std::uint64_t taken_back = 2;
    auto known = disk().epoch;
    if (!disk().timeline.empty())
      known = std::max(known, disk().timeline.back().id.epoch);
    if (known == 0)
      return false;
    return what.home_epoch != 0 ? known < what.home_epoch
                                : known + taken_back < what.record.epoch;
  }

  void recover(const open& what, bool away, opened& result) {
    auto live = is_live(what.record.status);
    auto& past = result.past;
    past.elsewhere = live && away;
    past.came = live && what.home_epoch > 1;
    for (auto& entry : disk().timeline)
      take(entry, result);
    auto first = disk().timeline.empty() ? 0 : disk().timeline.front().id.epoch;
    result.moved = live && what.roams && what.home_epoch > 1 && !moved_
                   && (first == 0 || first >= what.home_epoch);
    complete(what, result);
    for (auto& [exec_id, place] : places_)
      result.places.emplace_back(exec_id, place);
    for (auto& exec_id : past.order)
      if (auto& exec = past.execs.at(exec_id);
          !greenroom::is_over(exec.status)) {
        auto& kept = disk().execs[exec_id];
        if (live
            && (kept.sent || kept.has_run
                || exec.status == exec_status::running))
          past.sent.insert(exec_id);
        if (!live && kept.end)
          past.outcomes.emplace(exec_id, *kept.end);
        open_output output;
        output.exec_id = exec_id;
        result.outputs.push_back(output);
      }
    past.checkout = disk().checkout;
    past.setup_known = past.execs.contains(session::setup_exec);
    past.last = change_in(what.record, what.outbox);
  }

  // What the timeline lacks of the outbox.
  void complete(const open& what, opened& result) {
    std::vector<timeline_entry> missing;
    std::size_t seen = 0;
    for (auto& event : what.outbox)
      if (event.version > version_
          || (event.version == version_ && ++seen > events_))
        missing.push_back(entry_of(what.record, event, 0, what.preview_url));
    write(missing);
    for (auto& entry : missing)
      take(entry, result);
  }

  void take(const timeline_entry& entry, opened& result) {
    if (entry.version != 0) {
      events_ = entry.version == version_ ? events_ + 1 : 1;
      version_ = entry.version;
    }
    auto& past = result.past;
    switch (entry.kind) {
      case event_kind::session_ended:
        result.end_published = true;
        return;
      case event_kind::session_moved: {
        moved_ = true;
        auto data = nlohmann::json::parse(entry.data, nullptr, false);
        result.arriving = data.is_object() && data.value("restoring", false);
        return;
      }
      case event_kind::exec_queued:
        return add(entry, past);
      case event_kind::exec_started:
      case event_kind::exec_exited:
        if (!past.execs.contains(entry.exec_id))
          add(entry, past);
        read_exec_json(entry.data, past.execs.at(entry.exec_id));
        if (entry.kind == event_kind::exec_started) {
          past.used = true;
        } else {
          places_[entry.exec_id].exited = entry.id.seq;
          past.finalized.push_back(entry.exec_id);
        }
        return;
      default:
        return;
    }
  }

  void add(const timeline_entry& entry, session::past& past) {
    exec_record exec;
    if (auto kept = disk().execs.find(entry.exec_id);
        kept != disk().execs.end())
      exec.spec = kept->second.spec;
    exec.spec.exec_id = entry.exec_id;
    read_exec_json(entry.data, exec);
    places_[entry.exec_id].queued = entry.id.seq;
    if (past.execs.emplace(entry.exec_id, std::move(exec)).second)
      past.order.push_back(entry.exec_id);
  }

  stage& stage_;
  int node_;
  memory_channel& journal_;
  std::map<std::string, exec_place> places_;
  bool moved_ = false;
  std::uint64_t version_ = 0;
  std::size_t events_ = 0;
};

class keeper_in_memory final : public keeper {
public:
  keeper_in_memory(stage& world, int node) : stage_(world), node_(node) {
    life_ = world.machines[static_cast<std::size_t>(node)].life;
  }
  channel_ptr open(const std::string&) override {
    return std::make_shared<memory_channel>();
  }
  bool post(const std::string&, const channel_ptr& from,
            any_request what) override {
    if (stage_.is_over(node_, life_))
      return true;
    auto to = std::static_pointer_cast<memory_channel>(from);
    auto request = std::make_shared<any_request>(std::move(what));
    stage_.on_disk(node_, [&world = stage_, node = node_, to, request] {
      files work{world, node, *to};
      if (auto result = std::visit(work, *request))
        to->put(std::move(*result));
    });
    return true;
  }

private:
  stage& stage_;
  int node_;
  int life_; // of the process that it is a part of
};

} // namespace

std::unique_ptr<keeper> keep_in_memory(stage& world, int node) {
  return std::make_unique<keeper_in_memory>(world, node);
}

} // namespace greenroom::simulation
