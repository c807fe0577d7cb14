#include "runtime/timeline/timeline.hpp"

#include "runtime/base/files.hpp"
#include "tests/support/fuzz_effort.hpp"
#include "tests/support/mutations.hpp"
#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>

#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

using namespace greenroom;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t all = SIZE_MAX;

// Varied enough that a mix-up of two events shows.
timeline_entry event(std::uint64_t seq) {
  timeline_entry entry;
  entry.id = {1 + seq / 4, seq};
  entry.time = static_cast<unix_ms>(1'790'000'000'000 + seq);
  if (seq % 3 == 0) {
    entry.kind = event_kind::exec_output;
    entry.exec_id = "exec-" + std::to_string(seq % 7);
    entry.stream = static_cast<output_stream>(seq % 2);
    entry.offset = seq * 1000;
    entry.length = static_cast<std::uint32_t>(seq % 16384);
    entry.lost = seq % 5;
    entry.progress.records = seq;
    entry.progress.announced = {seq, seq + 1, seq + 2};
    entry.progress.recorded = {seq, seq + 3, seq + 4};
  } else {
    entry.kind = event_kind::session_extended;
    entry.version = seq % 3 == 1 ? seq : 0;
    entry.data = R"({"n":)" + std::to_string(seq) + ",\"text\":\""
                 + std::string(seq % 50, 'x') + "\"}";
  }
  return entry;
}

std::vector<timeline_entry> events(std::uint64_t first, std::uint64_t last) {
  std::vector<timeline_entry> result;
  for (auto seq = first; seq <= last; ++seq)
    result.push_back(event(seq));
  return result;
}

void write(const fs::path& dir, std::uint64_t last) {
  timeline_writer writer{dir};
  writer.append(events(writer.last_id().seq + 1, last));
}

std::vector<timeline_entry> read_all(const fs::path& dir) {
  return timeline_reader{dir}.entries(0, all, all);
}

std::string content(const fs::path& path) {
  return read_file(path).value();
}

void replace(const fs::path& path, std::string_view text) {
  std::ofstream{path, std::ios::binary | std::ios::trunc} << text;
}

// Lets no file of this process grow beyond a size, as a full disk would.
class size_limit {
public:
  explicit size_limit(rlim_t bytes) {
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    auto limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  size_limit(const size_limit&) = delete;
  size_limit& operator=(const size_limit&) = delete;
  ~size_limit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

} // namespace

TEST_CASE("a session without a timeline has no events") {
  test::temp_dir dir;
  timeline_writer writer{dir.path()};
  CHECK(writer.last_id() == event_id{});
  CHECK(writer.last_version() == 0);
  writer.append({});
  timeline_reader reader{dir.path()};
  CHECK(reader.last_seq() == 0);
  CHECK(reader.entries(0, all, all).empty());
  CHECK(fs::is_empty(dir.path()));
}

TEST_CASE("events are read as they were written") {
  test::temp_dir dir;
  timeline_writer writer{dir.path()};
  writer.append(events(1, 1));
  writer.append(events(2, 40));
  timeline_reader reader{dir.path()};
  CHECK(reader.last_seq() == 40);
  CHECK(reader.entries(0, all, all) == events(1, 40));
  CHECK(reader.entries(17, all, all) == events(18, 40));
  CHECK(reader.entries(17, 3, all) == events(18, 20));
  CHECK(reader.entries(39, 0, all).empty());
  CHECK(reader.entries(40, all, all).empty());
  CHECK(reader.entries(1000, all, all).empty());
}

TEST_CASE("a writer goes on where the last one ended") {
  test::temp_dir dir;
  for (std::uint64_t last : {7, 8, 30}) {
    write(dir.path(), last);
    timeline_writer again{dir.path()};
    CHECK(again.last_id() == event(last).id);
    // The newest that had a version, however many without it follow.
    CHECK(again.last_version() == last - (last + 2) % 3);
  }
  CHECK(read_all(dir.path()) == events(1, 30));
}

TEST_CASE("a reader takes no more bytes than asked, but one event") {
  test::temp_dir dir;
  write(dir.path(), 300);
  timeline_reader reader{dir.path()};
  const auto size = fs::file_size(dir.path() / "timeline");
  CHECK(reader.entries(5, all, 1) == events(6, 6));
  std::vector<timeline_entry> together;
  std::size_t calls = 0;
  while (together.size() < 300) {
    auto part = reader.entries(together.size(), all, 1000);
    REQUIRE_FALSE(part.empty());
    CHECK(part.size() <= 1000 / 48); // no record is smaller
    together.insert(together.end(), part.begin(), part.end());
    ++calls;
  }
  CHECK(together == events(1, 300));
  CHECK(calls >= size / 1000);
}

TEST_CASE("entries that do not continue the timeline are refused") {
  test::temp_dir dir;
  write(dir.path(), 8);
  timeline_writer writer{dir.path()};
  auto refused = [&](std::vector<timeline_entry> entries) {
    CHECK_THROWS_AS(writer.append(entries), std::logic_error);
  };
  refused(events(8, 9));
  refused(events(10, 10));
  refused({event(9), event(11)});
  auto old = event(9);
  old.id.epoch = event(8).id.epoch - 1;
  refused({old});
  auto large = event(10);
  large.id = event(9).id;
  large.data.assign(5 << 20, 'x');
  refused({large});
  CHECK(read_all(dir.path()) == events(1, 8));
}

TEST_CASE("a last record that is cut anywhere is as if never written") {
  test::temp_dir dir;
  const auto file = dir.path() / "timeline";
  const auto last = GENERATE(as<std::uint64_t>{}, 1, 6, 7);
  write(dir.path(), last - 1);
  const auto begin = last == 1 ? 0 : fs::file_size(file);
  write(dir.path(), last);
  const auto whole = content(file);
  const auto index = content(dir.path() / "timeline.index");
  const bool indexed = GENERATE(true, false);
  for (auto size = begin; size < whole.size(); ++size) {
    CAPTURE(last, indexed, size);
    replace(file, whole.substr(0, size));
    replace(dir.path() / "timeline.index",
            index.substr(0, index.size() - (indexed ? 0 : 8)));
    timeline_writer writer{dir.path()};
    REQUIRE(writer.last_id().seq == last - 1);
    REQUIRE(fs::file_size(file) == begin);
    REQUIRE(read_all(dir.path()) == events(1, last - 1));
    writer.append(events(last, last + 2));
    REQUIRE(read_all(dir.path()) == events(1, last + 2));
  }
}

TEST_CASE("a last record with a wrong byte is cut off") {
  test::temp_dir dir;
  const auto file = dir.path() / "timeline";
  const auto last = GENERATE(as<std::uint64_t>{}, 6, 7);
  write(dir.path(), last - 1);
  const auto begin = fs::file_size(file);
  write(dir.path(), last);
  const auto whole = content(file);
  for (auto at = begin; at < whole.size(); ++at) {
    CAPTURE(last, at);
    auto bad = whole;
    bad[at] = static_cast<char>(bad[at] ^ 0x41);
    replace(file, bad);
    timeline_writer writer{dir.path()};
    REQUIRE(writer.last_id().seq == last - 1);
    writer.append(events(last, last));
    REQUIRE(content(file) == whole);
    REQUIRE(read_all(dir.path()) == events(1, last));
  }
}

TEST_CASE("a crash between timeline and index loses nothing") {
  test::temp_dir dir;
  write(dir.path(), 20);
  const auto path = dir.path() / "timeline.index";
  const auto index = content(path);
  for (std::size_t size = 0; size < index.size(); size += 3) {
    CAPTURE(size);
    replace(path, index.substr(0, size));
    // Until a writer has looked, readers see what the index has.
    REQUIRE(read_all(dir.path()) == events(1, size / 8));
    timeline_writer writer{dir.path()};
    REQUIRE(writer.last_id() == event(20).id);
    REQUIRE(content(path) == index);
  }
}

TEST_CASE("an index that is missing, wrong or too long is made anew") {
  test::temp_dir dir;
  write(dir.path(), 20);
  const auto path = dir.path() / "timeline.index";
  const auto index = content(path);
  auto expect_rebuilt = [&] {
    timeline_writer writer{dir.path()};
    CHECK(writer.last_id() == event(20).id);
    CHECK(content(path) == index);
    CHECK(read_all(dir.path()) == events(1, 20));
  };
  fs::remove(path);
  expect_rebuilt();
  replace(path, std::string(160, '\xff'));
  expect_rebuilt();
  replace(path, index + std::string(80, '\0'));
  expect_rebuilt();
  replace(path, index + index);
  expect_rebuilt();
  replace(path, index.substr(8));
  expect_rebuilt();
}

TEST_CASE("an index without a timeline is forgotten") {
  test::temp_dir dir;
  write(dir.path(), 20);
  fs::remove(dir.path() / "timeline");
  timeline_writer writer{dir.path()};
  CHECK(writer.last_id().seq == 0);
  writer.append(events(1, 3));
  CHECK(read_all(dir.path()) == events(1, 3));
}

TEST_CASE("opening reads the end only while the index is good") {
  test::temp_dir dir;
  write(dir.path(), 50);
  const auto file = dir.path() / "timeline";
  auto bytes = content(file);
  bytes[60] ^= 1; // would end a walk from the start at the first event
  replace(file, bytes);
  timeline_writer writer{dir.path()};
  CHECK(writer.last_id() == event(50).id);
  writer.append(events(51, 51));
  timeline_reader reader{dir.path()};
  CHECK(reader.entries(1, all, all) == events(2, 51));
  CHECK_THROWS_WITH(reader.entries(0, all, all),
                    Catch::Contains("timeline\" is damaged at byte 0"));
}

TEST_CASE("a reader finds events where the index is wrong in the middle") {
  test::temp_dir dir;
  write(dir.path(), 20);
  auto index = content(dir.path() / "timeline.index");
  index[8 * 7] = static_cast<char>(index[8 * 7] + 1);
  replace(dir.path() / "timeline.index", index);
  timeline_reader reader{dir.path()};
  for (std::uint64_t after : {0, 6, 7, 8})
    CHECK(reader.entries(after, all, all) == events(after + 1, 20));
}

TEST_CASE("a full disk refuses a batch as a whole, and a retry succeeds") {
  test::temp_dir dir;
  const auto file = dir.path() / "timeline";
  write(dir.path(), 10);
  const auto before = content(file);
  timeline_writer writer{dir.path()};
  for (rlim_t room : {0, 1, 100, 1000}) {
    CAPTURE(room);
    {
      size_limit limit{before.size() + room};
      CHECK_THROWS_AS(writer.append(events(11, 60)), std::system_error);
    }
    CHECK(content(file) == before);
    CHECK(writer.last_id() == event(10).id);
    CHECK(read_all(dir.path()) == events(1, 10));
  }
  writer.append(events(11, 60));
  CHECK(read_all(dir.path()) == events(1, 60));
}

TEST_CASE("what a failed append could not take back is not believed") {
  test::temp_dir dir;
  write(dir.path(), 10);
  timeline_writer writer{dir.path()};
  {
    // Another batch, of which the first writer knows nothing.
    test::temp_dir other;
    write(other.path(), 10);
    const auto size = fs::file_size(other.path() / "timeline");
    write(other.path(), 30);
    std::ofstream{dir.path() / "timeline", std::ios::binary | std::ios::app}
      << content(other.path() / "timeline").substr(size);
  }
  CHECK(read_all(dir.path()) == events(1, 10));
  writer.append(events(11, 11));
  CHECK(read_all(dir.path()) == events(1, 11));
  CHECK(timeline_writer{dir.path()}.last_id() == event(11).id);
}

TEST_CASE("an index that cannot be written follows later") {
  test::temp_dir dir;
  const auto path = dir.path() / "timeline.index";
  write(dir.path(), 5);
  fs::remove(path);
  fs::create_symlink("/dev/full", path);
  timeline_writer writer{dir.path()};
  CHECK(writer.last_id() == event(5).id);
  writer.append(events(6, 9));
  CHECK(writer.last_id() == event(9).id);
  CHECK(read_all(dir.path()).empty());
  fs::remove(path);
  writer.append(events(10, 12));
  CHECK(read_all(dir.path()) == events(1, 12));
}

TEST_CASE("an index that went away under its writer comes back") {
  test::temp_dir dir;
  timeline_writer writer{dir.path()};
  writer.append(events(1, 5));
  fs::remove(dir.path() / "timeline.index");
  writer.append(events(6, 6));
  writer.append(events(7, 7));
  CHECK(read_all(dir.path()) == events(1, 7));
}

TEST_CASE("a timeline that shrinks under its writer is not written to") {
  test::temp_dir dir;
  write(dir.path(), 5);
  timeline_writer writer{dir.path()};
  fs::resize_file(dir.path() / "timeline", 10);
  CHECK_THROWS_WITH(writer.append(events(6, 6)), Catch::Contains("shorter"));
}

TEST_CASE("readers see whole events in order while the writer appends") {
  test::temp_dir dir;
  constexpr std::uint64_t last = 20'000;
  std::atomic<bool> failed = false;
  std::thread writing{[&] {
    std::mt19937 random{7};
    timeline_writer writer{dir.path()};
    while (writer.last_id().seq < last && !failed) {
      auto from = writer.last_id().seq + 1;
      writer.append(events(from, std::min(last, from + random() % 50)));
    }
  }};
  std::uint64_t seen = 0;
  std::mt19937 random{8};
  while (seen < last && !failed) {
    timeline_reader reader{dir.path()};
    auto part = reader.entries(seen, 1 + random() % 200, 1 + random() % 50'000);
    if (part != events(seen + 1, seen + part.size()))
      failed = true;
    seen += part.size();
  }
  writing.join();
  CHECK_FALSE(failed);
  CHECK(seen == last);
}

TEST_CASE("a timeline goes on where another one ended") {
  constexpr std::uint64_t before = 3'000'000'000;
  test::temp_dir dir;
  {
    timeline_writer writer{dir.path(), before};
    CHECK(writer.last_id().seq == before);
    CHECK(timeline_reader{dir.path()}.last_seq() == 0);
    writer.append(events(before + 1, before + 600));
  }
  SECTION("opened again") {}
  SECTION("without its index") {
    fs::remove(dir.path() / "timeline.index");
  }
  SECTION("with a bad index") {
    replace(dir.path() / "timeline.index", std::string(4800, 'x'));
  }
  // What was there counts, whatever is asked for.
  timeline_writer writer{dir.path(), 7};
  CHECK(writer.last_id() == event(before + 600).id);
  writer.append(events(before + 601, before + 700));
  CHECK(fs::file_size(dir.path() / "timeline.index") == 700 * 8);
  timeline_reader reader{dir.path()};
  CHECK(reader.base() == before);
  CHECK(reader.last_seq() == before + 700);
  auto whole = events(before + 1, before + 700);
  CHECK(reader.entries(0, all, all) == whole);
  CHECK(reader.entries(before, all, all) == whole);
  CHECK(reader.entries(8, 1, all).front() == whole.front());
  CHECK(reader.entries(before + 699, all, all).front() == whole.back());
  CHECK(reader.entries(before + 700, all, all).empty());
}

TEST_CASE("whatever has happened to a timeline, what is read was written") {
  test::fuzz_effort effort{300};
  std::mt19937 random{effort.seed()};
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte)
    bytes += static_cast<char>(byte);
  int whole = 0;
  int refused = 0;
  int rounds = 0;
  for (; effort.next(); ++rounds) {
    INFO("round " << rounds);
    test::temp_dir dir;
    const auto count = 1 + random() % 60;
    write(dir.path(), count);
    for (auto* file : {"timeline", "timeline.index"})
      if (auto path = dir.path() / file; random() % 2 == 0)
        replace(path, test::mutated(content(path), random, bytes));
    try {
      timeline_writer writer{dir.path()};
      const auto last = writer.last_id().seq;
      for (auto& entry : read_all(dir.path()))
        REQUIRE(entry == event(entry.id.seq));
      writer.append(events(last + 1, last + 1));
      REQUIRE(timeline_writer{dir.path()}.last_id() == event(last + 1).id);
      whole += last == count;
    } catch (const std::runtime_error&) {
      ++refused; // it says that the timeline is damaged
    }
  }
  CHECK(whole > rounds / 10);
  CHECK(refused > 0);
  CHECK(refused < rounds);
}
