// Logs that something has damaged at random.
#include "runtime/base/fd.hpp"
#include "runtime/base/files.hpp"
#include "runtime/exec/output/output_log.hpp"
#include "tests/support/fuzz_effort.hpp"
#include "tests/support/garbled_file.hpp"
#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>

using namespace greenroom;

namespace {

constexpr std::array<const char*, 4> files{"index", "stdout", "stderr", "tty"};

void write_log(const std::filesystem::path& dir, std::minstd_rand& random) {
  unique_fd fd{::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  output_log_writer writer{fd.get(), 2'000};
  for (auto pieces = random() % 100; pieces > 0; --pieces)
    writer.append(
      static_cast<output_stream>(random() % output_streams),
      std::string(1 + random() % 60, static_cast<char>('a' + pieces % 26)), 1);
  writer.finish(2);
}

std::string damaged(std::string text, std::minstd_rand& random) {
  for (auto times = random() % 4; times > 0 && !text.empty(); --times) {
    auto at = random() % text.size();
    switch (random() % 4) {
      case 0:
        text[at] = static_cast<char>(random() % 256);
        break;
      case 1:
        text.resize(at);
        break;
      case 2:
        text.append(text.substr(at));
        break;
      default:
        text.replace(
          at, 64,
          std::string(std::min<std::size_t>(64, text.size() - at), '\0'));
        break;
    }
  }
  return text;
}

// What the streams hold, as those read it who go by the index.
std::array<std::string, output_streams>
readable(const std::filesystem::path& dir) {
  output_log_reader reader{dir};
  std::array<std::uint64_t, output_streams> ends{};
  auto records = reader.records(0, 1'000);
  for (const auto& record : records)
    ends[static_cast<std::size_t>(record.stream)] =
      record.offset + record.length;
  std::array<std::string, output_streams> result;
  for (std::size_t i = 0; i < output_streams; ++i) {
    auto stream = static_cast<output_stream>(i);
    auto damaged = reader.is_damaged_at(records.size());
    result[i].resize(damaged ? reader.size(stream) : ends[i]);
    REQUIRE(reader.read(stream, 0, result[i]) == result[i].size());
  }
  return result;
}

// Damages some of a log's files. True where only the index is damaged, and as
// long as it was.
bool damage(const std::filesystem::path& dir, std::minstd_rand& random) {
  if (random() % 4 == 0) {
    auto index = dir / output_index_file;
    auto size = read_file(index).value_or("").size();
    if (size > 0)
      test::garble(index, random() % size, random);
    return true;
  }
  for (auto file : files) {
    auto path = dir / file;
    if (auto text = read_file(path); text && random() % 2 == 0)
      write_file_atomic(path, damaged(*text, random), 0600, false);
    if (random() % 20 == 0)
      std::filesystem::remove(path);
  }
  return false;
}

} // namespace

TEST_CASE("whatever has happened to a log, recovery makes it whole") {
  test::fuzz_effort effort{100};
  std::minstd_rand random{effort.seed()};
  int cut = 0;
  int with_damage = 0;
  int rounds = 0;
  for (; effort.next(); ++rounds) {
    INFO("round " << rounds);
    test::temp_dir dir;
    write_log(dir.path(), random);
    auto before = output_log_reader{dir.path()}.records(0, 1'000);
    auto printed = readable(dir.path());
    auto only_index = damage(dir.path(), random);
    auto count = recover_output_log(dir.path());
    output_log_reader reader{dir.path()};
    auto after = reader.records(0, 1'000);
    const bool is_damaged = reader.is_damaged_at(after.size());
    with_damage += is_damaged;
    REQUIRE(count == (is_damaged ? reader.count() : after.size()));
    // Not only must index and files tell the same: nothing may be missing.
    if (only_index)
      REQUIRE(readable(dir.path()) == printed);
    // Records that were appended to the index once more do not fit, unless
    // they have no bytes: then they tell of a loss twice.
    auto known = std::min(after.size(), before.size());
    REQUIRE(std::equal(after.begin(), after.begin() + known, before.begin()));
    for (auto i = known; i < after.size(); ++i)
      REQUIRE(after[i].length == 0);
    cut += after.size() < before.size();
    std::array<std::uint64_t, output_streams> sizes{};
    for (const auto& record : after) {
      auto& size = sizes[static_cast<std::size_t>(record.stream)];
      REQUIRE(record.offset == size);
      size += record.length;
    }
    for (std::size_t i = 0; i < output_streams; ++i) {
      auto size = reader.size(static_cast<output_stream>(i));
      REQUIRE((is_damaged ? size >= sizes[i] : size == sizes[i]));
    }
    REQUIRE(recover_output_log(dir.path()) == count);
  }
  CHECK(cut > rounds / 6);
  CHECK(cut < rounds);
  CHECK(with_damage > rounds / 8);
}
