// A session's files by themselves: no threads, no actors.
#include "actors/session/journal/session_files.hpp"
#include "runtime/base/files.hpp"
#include "runtime/disk/fsync_queue.hpp"
#include "runtime/exec/output/output_log.hpp"
#include "runtime/exec/spec.hpp"
#include "runtime/runner/client/runner_client.hpp"
#include "runtime/timeline/timeline.hpp"
#include "tests/support/garbled_file.hpp"
#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace greenroom;
namespace fs = std::filesystem;

namespace {

session_record some_session() {
  session_record record;
  record.id = "aaaaaaaaaaaaaaaaaaaa";
  record.project_id = "demo";
  record.status = session_status::active;
  record.epoch = 3;
  return record;
}

timeline_entry event_of(event_kind kind, const std::string& exec_id = {}) {
  timeline_entry entry;
  entry.kind = kind;
  entry.exec_id = exec_id;
  entry.data = exec_id.empty() ? "{}" : R"({"exec_id":")" + exec_id + "\"}";
  return entry;
}

class files_of_a_session {
public:
  files_of_a_session() {
    reopen(false);
  }

  journal::opened reopen(bool revived) {
    files_.emplace(dir_.path(), some_session().id, &syncer_, max_output);
    return open({some_session(), revived, 2});
  }

  // As a session of a cluster whose actor has this epoch.
  journal::opened come(std::uint64_t epoch, std::uint64_t home_epoch = 0) {
    auto result = try_to_come(epoch, home_epoch);
    REQUIRE(result.problem == nullptr);
    return result;
  }
  journal::opened try_to_come(std::uint64_t epoch, std::uint64_t home_epoch) {
    files_.emplace(dir_.path(), some_session().id, &syncer_);
    journal::open what{some_session(), true, 2};
    what.record.epoch = epoch;
    what.roams = true;
    what.home_epoch = home_epoch;
    return ask<journal::opened>(std::move(what));
  }

  // As one whose check-in a crash has cut short.
  journal::opened resume_checkin(std::vector<session_event> announced,
                                 std::uint64_t version) {
    files_.emplace(dir_.path(), some_session().id, &syncer_);
    journal::open what{some_session(), true, 2, std::move(announced), {}};
    what.record.status = session_status::checking_in;
    what.record.version = version;
    return open(std::move(what));
  }

  // As one that has ended on another node, and is asked for here.
  journal::opened look_back(std::vector<session_event> announced) {
    files_.emplace(dir_.path(), some_session().id, &syncer_);
    journal::open what{some_session(), true, 2, std::move(announced), {}};
    what.record.status = session_status::ended;
    what.record.version = 1;
    what.roams = true;
    return ask<journal::opened>(std::move(what));
  }

  journal::opened open(journal::open what) {
    auto result = ask<journal::opened>(std::move(what));
    REQUIRE(result.problem == nullptr);
    return result;
  }

  template <class Result>
  Result ask(journal::any_request what) {
    auto result = files_->perform(what);
    REQUIRE(result);
    REQUIRE(std::holds_alternative<Result>(*result));
    return std::get<Result>(std::move(*result));
  }

  journal::any_result append(const std::vector<event_kind>& kinds) {
    journal::append what;
    for (auto kind : kinds)
      what.entries.push_back(event_of(kind));
    journal::any_request request{std::move(what)};
    return *files_->perform(request);
  }

  journal::intent_kept keep(const std::string& exec_id,
                            std::function<bool()> spawn = {}) {
    journal::keep_intent what;
    what.spawn = std::move(spawn);
    what.spec.exec_id = exec_id;
    what.spec.command = "echo hi";
    what.command.argv = {"sh", "-c", "echo hi"};
    what.queued = event_of(event_kind::exec_queued, exec_id);
    return ask<journal::intent_kept>(std::move(what));
  }

  void print(const std::string& exec_id, std::string_view text, int times = 1) {
    unique_fd dir{
      ::open(exec_dir(exec_id).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    output_log_writer log{dir.get(), 8 << 20};
    for (; times > 0; --times)
      log.append(output_stream::out, {text.data(), text.size()}, 7);
  }

  fs::path dir() const {
    return dir_.path() / "sessions" / some_session().id;
  }
  fs::path exec_dir(const std::string& exec_id) const {
    return dir() / "exec" / exec_id;
  }

  // A disk that takes nothing more, for the timeline.
  void fill_disk() {
    fs::rename(dir() / "timeline", dir() / "kept");
    fs::create_directory(dir() / "timeline");
  }
  void empty_disk() {
    fs::remove(dir() / "timeline");
    fs::rename(dir() / "kept", dir() / "timeline");
  }

  std::uint64_t max_output = 0;

private:
  test::temp_dir dir_;
  fsync_queue syncer_;
  std::optional<journal::session_files> files_;
};

} // namespace

TEST_CASE_METHOD(
  files_of_a_session,
  "a check-in that a crash cuts short does what was asked, also where a DELETE "
  "has been stored since") {
  session_event began;
  began.kind = event_kind::checkin_started;
  began.version = 2;
  began.fields.push_back(
    {"message", event_field::type::text, "the fix", 0, {}});
  began.fields.push_back({"skip_review", event_field::type::flag, {}, 1, {}});
  for (auto version : {began.version, began.version + 1}) {
    auto last = resume_checkin({began}, version).past.last;
    CHECK(last.message == "the fix");
    CHECK(last.skip_review);
    CHECK_FALSE(last.auto_merge);
  }
}

TEST_CASE_METHOD(files_of_a_session, "events get their places one after the "
                                     "other, also after a restart") {
  auto first = append({event_kind::session_created, event_kind::git_pushed});
  auto& entries = std::get<journal::appended>(first).entries;
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].id == event_id{3, 1});
  CHECK(entries[1].id == event_id{3, 2});
  CHECK(reopen(true).last == event_id{3, 2});
  auto next = append({event_kind::git_pushed});
  CHECK(std::get<journal::appended>(next).entries.at(0).id == event_id{3, 3});
}

TEST_CASE_METHOD(files_of_a_session, "what the disk does not take waits in "
                                     "order, and nothing overtakes it") {
  append({event_kind::session_created});
  fill_disk();
  CHECK(std::holds_alternative<journal::not_appended>(
    append({event_kind::git_pushed})));
  CHECK_FALSE(keep("n1").queued);
  CHECK_FALSE(fs::exists(exec_dir("n1")));
  CHECK(
    ask<journal::output_announced>(journal::announce_output{"n0", 1}).failed);
  empty_disk();
  // Still nothing overtakes it: it comes with the next try.
  CHECK_FALSE(keep("n1").queued);
  auto both = append({event_kind::session_ended});
  auto& entries = std::get<journal::appended>(both).entries;
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].kind == event_kind::git_pushed);
  CHECK(entries[1].kind == event_kind::session_ended);
  CHECK(entries[1].id.seq == 3);
  CHECK(keep("n1").queued);
}

TEST_CASE_METHOD(files_of_a_session, "output is announced once, to the end") {
  REQUIRE(keep("n1").queued->id.seq == 1);
  print("n1", "hello\n");
  journal::announce_output what{"n1", 1, false, true};
  auto first = ask<journal::output_announced>(what);
  CHECK_FALSE(first.failed);
  CHECK(first.all);
  CHECK(first.records == 1);
  CHECK(first.printed[index_of(output_stream::out)] == 6);
  CHECK(first.last.seq == 2);
  REQUIRE(first.batch);
  CHECK(first.batch->after == 1);
  CHECK(first.batch->text.view().find("hello") != std::string_view::npos);
  auto again = ask<journal::output_announced>(what);
  CHECK(again.last.seq == 0);
  // A restart knows how far it has come.
  auto found = reopen(true);
  REQUIRE(found.outputs.size() == 1);
  CHECK(found.outputs[0].records == 1);
  CHECK(found.outputs[0].printed[index_of(output_stream::out)] == 6);
  what.finish = true;
  auto end = ask<journal::output_announced>(what);
  CHECK(end.last.seq == 0);
  CHECK(end.finished);
}

TEST_CASE_METHOD(files_of_a_session, "what all commands leave on disk has a "
                                     "limit") {
  constexpr std::uint64_t least = 64 << 10;
  max_output = 8 << 20;
  reopen(false);
  auto keep_one = [this](const std::string& id, std::size_t size) {
    journal::keep_intent what;
    what.spec.exec_id = id;
    what.spec.command.resize(size, 'x');
    what.command.argv = {"true"};
    what.command.max_output = 8 << 20;
    what.queued = event_of(event_kind::exec_queued, id);
    return ask<journal::intent_kept>(std::move(what));
  };
  auto limit_of = [&](const std::string& id) {
    REQUIRE(keep_one(id, 4).queued);
    return runner::parse_command_spec(*read_file(exec_dir(id) / "spec.json"))
      .max_output;
  };
  auto announce = [this](const std::string& id, std::size_t size) {
    print(id, std::string(size, 'x'));
    output_log_reader log{exec_dir(id)};
    while (!ask<journal::output_announced>(
              journal::announce_output{id, log.count(), true})
              .all) {
    }
  };
  CHECK(limit_of("n1") > (8 << 20) - 100'000); // but for directories
  announce("n1", 5'000'000);
  auto second = limit_of("n2");
  CHECK(second <= (8 << 20) - 5'000'000);
  CHECK(second > 3'000'000);
  // More than it was let, by a command that was told late.
  announce("n2", 3'380'000);
  CHECK(limit_of("n3") == least);
  reopen(true);
  CHECK(limit_of("n4") == least);
  // What is asked for counts, too; so do small ones, in the end.
  auto refused = keep_one("n5", 600'000);
  CHECK_FALSE(refused.queued);
  REQUIRE(refused.problem);
  CHECK(refused.problem->code == errc::quota_exceeded);
  CHECK_THAT(refused.problem->message,
             Catch::Contains("8MiB") && Catch::Contains("max_session_output"));
  CHECK_FALSE(fs::exists(exec_dir("n5")));
  int kept = 0;
  while (kept < 100 && keep_one("m" + std::to_string(kept), 4).queued)
    ++kept;
  CHECK(kept > 0);
  CHECK(kept < 100);
}

TEST_CASE_METHOD(files_of_a_session, "an exec that the runner was told of is "
                                     "found as sent") {
  REQUIRE(keep("n1").queued);
  REQUIRE(keep("n2").queued);
  CHECK(ask<journal::sent_marked>(journal::mark_sent{"n2"}).marked);
  CHECK_FALSE(ask<journal::sent_marked>(journal::mark_sent{"none"}).marked);
  auto found = reopen(true);
  CHECK(found.past.order == std::vector<std::string>{"n1", "n2"});
  CHECK(found.past.sent == std::set<std::string>{"n2"});
  CHECK(found.past.execs.at("n1").spec.command == "echo hi");
}

TEST_CASE_METHOD(files_of_a_session, "the runner is told of an exec once it is "
                                     "written down as sent") {
  auto is_marked = [this](const std::string& id) {
    return was_sent(exec_dir(id));
  };
  auto before = false;
  auto told = keep("told", [&] {
    before = is_marked("told") && timeline_reader{dir()}.last_seq() == 1;
    return true;
  });
  CHECK(told.sent);
  CHECK(before);
  CHECK(is_marked("told"));
  // Then it is told later, or by the next node.
  CHECK_FALSE(keep("not", [] { return false; }).sent);
  CHECK_FALSE(is_marked("not"));
  CHECK(reopen(true).past.sent == std::set<std::string>{"told"});
}

TEST_CASE_METHOD(files_of_a_session, "what has run was sent, though the mark "
                                     "that says so was lost") {
  for (auto id : {"waits", "printed", "ended"})
    REQUIRE(keep(id).queued);
  print("printed", "hello\n");
  write_file_atomic(exec_dir("ended") / "exit.json",
                    to_json(exit_record{exit_status::exited}), 0600, false);
  CHECK(reopen(true).past.sent == std::set<std::string>{"ended", "printed"});
}

TEST_CASE_METHOD(files_of_a_session,
                 "how an exec ended is asked again where it "
                 "cannot be read for the moment") {
  REQUIRE(keep("n1").queued);
  auto record = exec_dir("n1") / "exit.json";
  fs::create_directory(record); // reading fails, as without descriptors
  auto end = ask<journal::settled>(journal::settle{"n1", "it is gone", 9});
  CHECK(end.failed);
  CHECK(end.reason == "it is gone");
  fs::remove(record);
  write_file_atomic(record, to_json(exit_record{exit_status::exited}), 0600,
                    false);
  end = ask<journal::settled>(journal::settle{"n1", "it is gone", 9});
  CHECK_FALSE(end.failed);
  CHECK(end.outcome.status == exec_status::exited);
}

TEST_CASE_METHOD(files_of_a_session, "an exec without an exit record is lost, "
                                     "with what it had printed") {
  REQUIRE(keep("n1").queued);
  print("n1", "hello\n");
  auto end =
    ask<journal::settled>(journal::settle{"n1", "the runner is gone", 9});
  CHECK(end.records == 1);
  CHECK(end.outcome.status == exec_status::lost);
  CHECK(end.outcome.reason == "the runner is gone");
  CHECK(end.outcome.stdout_bytes == 6);
}

TEST_CASE_METHOD(files_of_a_session, "all that was printed is announced though "
                                     "the index is damaged") {
  constexpr std::uint64_t pieces = 100;
  const std::string piece(9000, 'x');
  std::minstd_rand random{7};
  // What the timeline had before: nothing, some of it, more than is left.
  for (auto before : {std::uint64_t{0}, std::uint64_t{10}, std::uint64_t{60}}) {
    auto id = "n" + std::to_string(before);
    REQUIRE(keep(id).queued);
    print(id, piece, pieces);
    std::uint64_t printed = 0;
    auto announce = [&](std::uint64_t records, bool finish) {
      journal::output_announced got;
      do {
        got = ask<journal::output_announced>(
          journal::announce_output{id, records, finish});
        REQUIRE_FALSE(got.failed);
        printed += got.printed[index_of(output_stream::out)];
      } while (!got.all);
    };
    announce(before, false);
    auto index = exec_dir(id) / output_index_file;
    auto begin = before == 0 ? 0 : fs::file_size(index) / 2;
    REQUIRE(test::garble(index, begin, random));
    reopen(true);
    auto end =
      ask<journal::settled>(journal::settle{id, "the runner is gone", 9});
    CHECK(end.records == pieces);
    CHECK(end.outcome.stdout_bytes == pieces * piece.size());
    announce(end.records, true);
    CHECK(printed == pieces * piece.size());
    std::uint64_t told = 0;
    for (auto& entry : timeline_reader{dir()}.entries(0, SIZE_MAX, SIZE_MAX))
      if (entry.kind == event_kind::exec_output && entry.exec_id == id)
        told += entry.length;
    CHECK(told == pieces * piece.size());
  }
}

TEST_CASE_METHOD(files_of_a_session, "execs beyond those in memory are found "
                                     "in the archive, newest first") {
  for (auto id : {"n1", "n2", "n3"}) {
    REQUIRE(keep(id).queued);
    journal::append end;
    end.entries.push_back(event_of(event_kind::exec_exited, id));
    journal::any_request request{std::move(end)};
    ask<journal::appended>(std::move(request));
  }
  auto found = reopen(true);
  CHECK(found.archived == 1);
  CHECK(found.past.order == std::vector<std::string>{"n2", "n3"});
  auto exec = ask<journal::exec_recalled>(journal::recall_exec{"n1"});
  REQUIRE(exec.exec);
  CHECK(exec.exec->spec.command == "echo hi");
  CHECK(exec.place.queued == 1);
  CHECK_FALSE(ask<journal::exec_recalled>(journal::recall_exec{"n9"}).exec);
  journal::list_page list{5, 0, {}, 1 << 20, {{"n2", 3, 4}, {"n3", 5, 6}}};
  auto page = ask<journal::page_listed>(list);
  CHECK(page.who == 5);
  REQUIRE(page.items.size() == 3);
  CHECK(page.items[0].exec_id == "n3");
  CHECK(page.items[0].json.empty());
  CHECK(page.items[2].exec_id == "n1");
  CHECK_FALSE(page.items[2].json.empty());
  list.cursor = "n2";
  CHECK(ask<journal::page_listed>(list).items.size() == 1);
  list.cursor = "n9";
  CHECK(ask<journal::page_listed>(list).problem);
}

TEST_CASE_METHOD(files_of_a_session, "a session that another node had since "
                                     "leaves what lay here aside") {
  append({event_kind::session_created, event_kind::git_pushed});
  keep("a");
  fs::create_directory(dir() / "checkout");
  SECTION("revived here, and taken back after a lease that was lost") {
    for (std::uint64_t epoch : {4, 5, 7, 9}) {
      auto found = come(epoch);
      CHECK_FALSE(found.past.elsewhere);
      CHECK(found.past.checkout);
      CHECK(found.last == event_id{3, 3});
    }
  }
  SECTION("back from another node") {
    come(4);
    auto found = come(8);
    CHECK(found.past.elsewhere);
    CHECK_FALSE(found.past.checkout);
    CHECK(found.past.execs.empty());
    // Greater than any number that the other can have reached.
    CHECK(found.last.seq == 8'000'000'000);
    auto first = append({event_kind::git_pushed});
    CHECK(std::get<journal::appended>(first).entries.front().id
          == event_id{8, 8'000'000'001});
    CHECK(fs::exists(dir() / "checkout.of-epoch-3"));
    CHECK(fs::exists(dir() / "timeline.of-epoch-3"));
    CHECK_FALSE(come(9).past.elsewhere);
  }
  SECTION("tried here in vain, again and again") {
    come(4, 1);
    fill_disk();
    for (std::uint64_t epoch : {6, 7, 8, 9})
      CHECK(try_to_come(epoch, 1).problem);
    empty_disk();
    auto found = come(10, 1);
    CHECK_FALSE(found.past.elsewhere);
    CHECK(found.past.checkout);
    CHECK(fs::exists(dir() / "checkout"));
    CHECK(found.past.execs.contains("a"));
  }
  SECTION("back at once from another node, after tries in vain") {
    come(4, 1);
    fill_disk();
    CHECK(try_to_come(7, 6).problem);
    empty_disk();
    auto found = come(8, 6);
    CHECK(found.past.elsewhere);
    CHECK_FALSE(found.past.checkout);
    CHECK(fs::exists(dir() / "checkout.of-epoch-3"));
    CHECK_FALSE(come(9, 6).past.elsewhere);
  }
  SECTION("while what lay here was put aside, the node died") {
    come(4, 1);
    fs::create_directories(dir() / "exec.of-epoch-3");
    CHECK(come(8, 6).past.elsewhere);
    CHECK(fs::exists(dir() / "exec.of-epoch-3.2/a"));
    CHECK(fs::exists(dir() / "checkout.of-epoch-3"));
  }
}

// Its last owner has given numbers of this epoch to events that are not here.
TEST_CASE_METHOD(files_of_a_session, "a session that has ended on another node "
                                     "gets numbers beyond those it had there") {
  session_event end;
  end.version = 1;
  end.kind = event_kind::session_ended;
  auto found = look_back({end});
  REQUIRE(found.problem == nullptr);
  CHECK(found.end_published);
  CHECK(found.last == event_id{3, 3'500'000'001});
  CHECK(look_back({end}).last == found.last); // once
}
