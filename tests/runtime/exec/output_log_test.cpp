#include "runtime/exec/output/output_log.hpp"

#include "runtime/base/files.hpp"
#include "runtime/exec/output/output_index.hpp"
#include "tests/support/garbled_file.hpp"
#include "tests/support/process_figures.hpp"
#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <string>

using namespace greenroom;

namespace {

constexpr auto no_cap = std::numeric_limits<std::uint64_t>::max();
constexpr auto out = output_stream::out;
constexpr auto err = output_stream::err;

// A log and its directory.
struct fixture {
  explicit fixture(std::uint64_t cap = no_cap)
    : fd(::open(dir.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
      writer(fd.get(), cap) {}

  void append(output_stream stream, std::string_view text) {
    writer.append(stream, text, ++clock);
  }

  output_log_reader reader() const {
    return output_log_reader{dir.path()};
  }

  std::string text(output_stream stream) const {
    return read_file(dir.path() / name(stream)).value_or("");
  }

  auto size(const char* file) const {
    return std::filesystem::file_size(dir.path() / file);
  }

  test::temp_dir dir;
  unique_fd fd;
  output_log_writer writer;
  unix_ms clock = 0;
};

// No file of this process may grow beyond `size`, as on a disk that is full.
class disk_of {
public:
  explicit disk_of(rlim_t size) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    auto limit = before_;
    limit.rlim_cur = size;
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  disk_of(const disk_of&) = delete;
  disk_of& operator=(const disk_of&) = delete;
  ~disk_of() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

private:
  rlimit before_;
  void (*handler_)(int);
};

} // namespace

TEST_CASE("what is appended can be read, stream by stream and in order") {
  fixture log;
  log.append(out, "one\n");
  log.append(err, "two\n");
  log.append(out, "three\n");
  CHECK(log.writer.records() == 3);
  CHECK(log.writer.printed(out) == 10);
  CHECK(log.writer.printed(err) == 4);
  CHECK_FALSE(log.writer.truncated());
  CHECK(log.text(out) == "one\nthree\n");
  CHECK(log.text(err) == "two\n");
  auto records = log.reader().records(0, 10);
  REQUIRE(records.size() == 3);
  CHECK(
    records[0]
    == output_record{1, out, 0, 4, 0, output_checksum(std::string{"one\n"})});
  CHECK(
    records[1]
    == output_record{2, err, 0, 4, 0, output_checksum(std::string{"two\n"})});
  CHECK(
    records[2]
    == output_record{3, out, 4, 6, 0, output_checksum(std::string{"three\n"})});
  std::string piece(6, '\0');
  CHECK(log.reader().read(out, 4, piece) == 6);
  CHECK(piece == "three\n");
  CHECK(log.reader().read(out, 8, piece) == 2);
  CHECK(log.reader().read(out, 99, piece) == 0);
}

TEST_CASE("a log that does not exist is empty, and fills under its reader") {
  fixture log;
  auto reader = log.reader();
  CHECK(reader.records(0, 10).empty());
  CHECK(reader.size(out) == 0);
  std::string text(10, '\0');
  CHECK(reader.read(out, 0, text) == 0);
  log.append(out, "a");
  CHECK(reader.records(0, 10).size() == 1);
  log.append(out, "b");
  CHECK(reader.records(1, 10).size() == 1);
  CHECK(reader.size(out) == 2);
  CHECK_FALSE(std::filesystem::exists(log.dir.path() / "stderr"));
}

TEST_CASE("records are read in portions") {
  fixture log;
  for (int i = 0; i < 100; ++i)
    log.append(out, "x");
  auto reader = log.reader();
  CHECK(reader.records(0, 0).empty());
  CHECK(reader.records(0, 7).size() == 7);
  CHECK(reader.records(95, 7).size() == 5);
  CHECK(reader.records(95, std::numeric_limits<std::size_t>::max()).size()
        == 5);
  CHECK(reader.records(100, 7).empty());
  CHECK(reader.records(no_cap, 7).empty());
  CHECK(reader.records(50, 1).at(0).offset == 50);
}

TEST_CASE("above the cap bytes are counted, and one record tells of the rest") {
  fixture log{10};
  log.append(out, "12345");
  log.append(err, "6789abc");
  CHECK(log.writer.truncated());
  auto records = log.writer.records();
  for (int i = 0; i < 1000; ++i)
    log.append(err, "more");
  CHECK(log.writer.records() == records);
  log.append(out, "end");
  log.writer.finish(9999);
  CHECK(log.text(out) == "12345");
  CHECK(log.text(err) == "6789a");
  CHECK(log.writer.printed(err) == 7 + 4000);
  CHECK(log.writer.printed(out) == 8);
  std::uint64_t lost_out = 0;
  std::uint64_t lost_err = 0;
  for (const auto& record : log.reader().records(0, 100))
    (record.stream == out ? lost_out : lost_err) += record.lost;
  CHECK(lost_out == 3);
  CHECK(lost_err == 4002);
}

TEST_CASE("a cap of nothing keeps nothing") {
  fixture log{0};
  log.append(out, "x");
  log.writer.finish(1);
  CHECK(log.writer.truncated());
  CHECK_FALSE(std::filesystem::exists(log.dir.path() / "stdout"));
  REQUIRE(log.reader().records(0, 10).size() == 1);
  CHECK(log.reader().records(0, 10)[0].lost == 1);
}

TEST_CASE("output in the smallest pieces does not make the index large") {
  constexpr std::uint64_t cap = 1 << 20;
  fixture log{cap};
  for (std::uint64_t i = 0; i < cap; ++i)
    log.append(i % 2 == 0 ? out : err, "x");
  log.writer.finish(1);
  CHECK(log.writer.truncated());
  CHECK(log.size(output_index_file) < 2 * cap + 1000);
  // What is missing is told of.
  auto records = log.reader().records(0, cap);
  REQUIRE_FALSE(records.empty());
  std::uint64_t kept = 0;
  std::uint64_t lost = 0;
  for (auto& one : records) {
    kept += one.length;
    lost += one.lost;
  }
  CHECK(kept + lost == cap);
  CHECK(lost > 0);
}

TEST_CASE("on a full disk the log keeps what fits and says what is lost") {
  fixture log;
  {
    disk_of full{1000};
    log.append(out, std::string(600, 'a'));
    log.append(out, std::string(600, 'b')); // 400 of it fit
    log.append(out, std::string(600, 'c'));
  }
  log.append(out, "after");
  CHECK(log.writer.printed(out) == 1805);
  CHECK(log.writer.truncated());
  CHECK(log.text(out)
        == std::string(600, 'a') + std::string(400, 'b') + "after");
  auto records = log.reader().records(0, 10);
  REQUIRE(records.size() == 4);
  CHECK(records[1].length == 400);
  CHECK(records[2].length == 0);
  CHECK(records[2].lost == 200);
  CHECK(records[3].offset == 1000);
  CHECK(records[3].length == 5);
  CHECK(records[3].lost == 600);
}

TEST_CASE("bytes whose record cannot be written are lost, and told of later") {
  fixture log;
  {
    disk_of full{60}; // one record and a half
    log.append(out, "one");
    log.append(out, "two");
    log.append(err, "three");
  }
  CHECK(log.size("index") >= 40);
  CHECK(log.reader().records(0, 10).size() == 1);
  log.append(out, "four");
  log.writer.finish(99);
  CHECK(log.text(out) == "onefour");
  auto records = log.reader().records(0, 10);
  REQUIRE(records.size() == 3);
  CHECK(records[1].lost == 3);
  CHECK(records[1].offset == 3);
  CHECK(records[1].length == 4);
  CHECK(records[2].stream == err);
  CHECK(records[2].lost == 5);
  CHECK(records[2].length == 0);
  CHECK(log.writer.records() == 3);
}

TEST_CASE("a log whose directory is gone loses everything and goes on") {
  fixture log;
  std::filesystem::remove_all(log.dir.path());
  log.append(out, "x");
  log.writer.finish(1);
  CHECK(log.writer.printed(out) == 1);
  CHECK(log.writer.truncated());
  CHECK(log.writer.records() == 0);
}

TEST_CASE("a torn or altered record ends the log for readers") {
  fixture log;
  for (auto text : {"one", "two", "three"})
    log.append(out, text);
  auto index = log.dir.path() / "index";
  std::filesystem::resize_file(index, 2 * 40 + 39);
  CHECK(log.reader().records(0, 10).size() == 2);
  std::fstream file{index, std::ios::in | std::ios::out | std::ios::binary};
  file.seekp(40 + 8).put('x');
  file.close();
  CHECK(log.reader().records(0, 10).size() == 1);
}

TEST_CASE("a record whose bytes are not there ends the log for readers") {
  fixture log;
  log.append(out, "one");
  log.append(err, "err");
  log.append(out, "two");
  std::filesystem::resize_file(log.dir.path() / "stdout", 5);
  CHECK(log.reader().records(0, 10).size() == 2);
  std::filesystem::remove(log.dir.path() / "stdout");
  CHECK(log.reader().records(0, 10).empty());
}

TEST_CASE("recovery cuts index and streams to what both know") {
  fixture log;
  for (auto text : {"one", "two", "three"})
    log.append(out, text);
  log.append(err, "err");
  std::filesystem::resize_file(log.dir.path() / "index", 3 * 40 + 7);
  CHECK(recover_output_log(log.dir.path()) == 3);
  CHECK(log.size("index") == 120);
  CHECK(log.text(out) == "onetwothree");
  CHECK(log.text(err).empty());
  std::filesystem::resize_file(log.dir.path() / "stdout", 10);
  CHECK(recover_output_log(log.dir.path()) == 2);
  CHECK(log.text(out) == "onetwo");
  CHECK(recover_output_log(log.dir.path()) == 2);
  CHECK(log.reader().records(0, 10).size() == 2);
}

TEST_CASE("recovery of a log whose index is damaged takes no byte away") {
  for (unsigned seed : {1u, 2u, 3u})
    for (int pieces : {1, 2, 3, 75, 3000}) {
      INFO("seed " << seed << ", pieces " << pieces);
      std::minstd_rand random{seed};
      fixture log;
      std::string texts[2];
      for (int i = 0; i < pieces; ++i) {
        auto stream = random() % 2 == 0 ? out : err;
        std::string piece(1 + random() % 50, static_cast<char>('a' + i % 26));
        texts[stream == err] += piece;
        log.append(stream, piece);
      }
      auto size = log.size(output_index_file);
      REQUIRE(
        test::garble(log.dir.path() / output_index_file, size / 2, random));
      auto count = static_cast<std::uint64_t>(pieces);
      for (int again = 0; again < 2; ++again) {
        CHECK(recover_output_log(log.dir.path()) == count);
        CHECK(log.text(out) == texts[0]);
        CHECK(log.text(err) == texts[1]);
        auto reader = log.reader();
        CHECK(reader.records(0, count).size() == count / 2);
        CHECK(reader.is_damaged_at(count / 2));
        CHECK_FALSE(reader.is_damaged_at(count));
      }
    }
}

TEST_CASE("an index that ends is not damaged, however it ends") {
  fixture log;
  CHECK_FALSE(log.reader().is_damaged_at(0));
  log.append(out, "one");
  log.append(out, "two");
  auto reader = log.reader();
  for (std::uint64_t number = 0; number < 4; ++number)
    CHECK_FALSE(reader.is_damaged_at(number));
  CHECK_FALSE(reader.is_damaged_at(no_cap));
  std::filesystem::resize_file(log.dir.path() / output_index_file,
                               2 * sizeof(index_entry) - 1);
  CHECK_FALSE(reader.is_damaged_at(1));
  // A record that is right about bytes which are not there.
  std::filesystem::resize_file(log.dir.path() / "stdout", 2);
  CHECK_FALSE(reader.is_damaged_at(0));
}

TEST_CASE("recovery of a log that does not exist makes none") {
  test::temp_dir dir;
  CHECK(recover_output_log(dir.path()) == 0);
  CHECK(std::filesystem::is_empty(dir.path()));
}

TEST_CASE("a log cut anywhere recovers to a beginning of what was written") {
  std::minstd_rand random{7};
  fixture log;
  std::string texts[2];
  for (int i = 0; i < 2000; ++i) {
    auto stream = random() % 2 == 0 ? out : err;
    std::string piece(1 + random() % 50, static_cast<char>('a' + i % 26));
    texts[stream == err].append(piece);
    log.append(stream, piece);
  }
  auto before = log.reader().records(0, 5000);
  for (auto file : {"index", "stderr", "index", "stdout", "index"}) {
    auto size = log.size(file);
    std::filesystem::resize_file(log.dir.path() / file,
                                 size - random() % (size / 4));
    auto count = recover_output_log(log.dir.path());
    auto records = log.reader().records(0, 5000);
    REQUIRE(records.size() == count);
    REQUIRE(std::equal(records.begin(), records.end(), before.begin()));
    std::uint64_t kept = 0;
    for (const auto& record : records)
      kept += record.length;
    CHECK(kept == log.text(out).size() + log.text(err).size());
    CHECK(texts[0].starts_with(log.text(out)));
    CHECK(texts[1].starts_with(log.text(err)));
  }
}

TEST_CASE("how much there is of each stream is found from the end") {
  fixture log;
  CHECK(log.reader().bytes_in(0) == std::array<std::uint64_t, 3>{});
  log.append(err, "first\n");
  for (int i = 0; i < 3000; ++i)
    log.append(out, "line\n");
  log.append(err, "last\n");
  auto reader = log.reader();
  CHECK(reader.count() == 3002);
  CHECK(reader.bytes_in(0) == std::array<std::uint64_t, 3>{0, 0, 0});
  CHECK(reader.bytes_in(1) == std::array<std::uint64_t, 3>{0, 6, 0});
  CHECK(reader.bytes_in(1001) == std::array<std::uint64_t, 3>{5000, 6, 0});
  CHECK(reader.bytes_in(3002) == std::array<std::uint64_t, 3>{15'000, 11, 0});
  // A stream that has been silent for long is not looked for.
  for (int i = 0; i < 10'000; ++i)
    log.append(out, "line\n");
  CHECK_FALSE(reader.bytes_in(reader.count()));
}

TEST_CASE("a torn record at the end tells nothing of what there is") {
  fixture log;
  log.append(out, "whole");
  log.append(out, "torn");
  std::filesystem::resize_file(log.dir.path() / output_index_file,
                               2 * sizeof(index_entry) - 1);
  auto reader = log.reader();
  CHECK(reader.bytes_in(reader.count()) == std::array<std::uint64_t, 3>{5});
  std::fstream{log.dir.path() / output_index_file,
               std::ios::in | std::ios::out | std::ios::binary}
    << "damage";
  CHECK_FALSE(reader.bytes_in(1));
}

TEST_CASE("a reader that is closed holds no file, and reads on") {
  fixture log;
  log.append(out, "one");
  auto reader = log.reader();
  auto before = test::open_files();
  CHECK(reader.records(0, 10).size() == 1);
  CHECK(test::open_files() > before);
  reader.close();
  CHECK(test::open_files() == before);
  log.append(out, "two");
  CHECK(reader.records(0, 10).size() == 2);
}
