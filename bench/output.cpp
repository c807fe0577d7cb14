// How much output of a command gets through?
//
// `head -c` in a sandbox, by the log alone, by the event stream, and by GET of
// the output while it grows and after the end. Against the same command piped
// to `tee FILE | cat`, which also keeps it and hands it on.
#include "bench/support/clock.hpp"
#include "bench/support/download.hpp"
#include "bench/support/node.hpp"
#include "bench/support/report.hpp"
#include "bench/support/spawn.hpp"
#include "bench/support/watchers.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <stdexcept>

using namespace greenroom::bench;
namespace fs = std::filesystem;

namespace {

constexpr int rounds = 5;
constexpr std::uint64_t mebibyte = 1024 * 1024;

// With its break 64 bytes.
constexpr const char* line =
  "the quick brown fox jumps over the lazy dog, and then again now";
constexpr std::uint64_t line_size = 64;

struct source {
  const char* name;
  std::string inside;  // its path in the sandbox
  std::string outside; // and for the baseline
};

class bench {
public:
  explicit bench(std::uint64_t size) : size_(size), server_(options()) {
    auto count = std::to_string(size_);
    server_.exec(session_, std::string{"yes '"} + line + "' | head -c " + count
                             + " > text");
    text_ = {"text", "text", (home() / "checkout/text").string()};
  }

  void measure(report& to) {
    auto& text = text_;
    measure_way(to, "log alone", "", text, [&] { logged(text); });
    measure_way(to, "output, followed", ">= 0.8", text,
                [&] { followed(text); });
    measure_download(to);
    measure_way(to, "events, text", ">= 0.8", text, [&] { watched(text); });
    const source zeros{"zeros", "/dev/zero", "/dev/zero"};
    measure_way(to, "events, zeros", ">= 0.3", zeros, [&] { watched(zeros); });
    const source random{"random bytes", "/dev/urandom", "/dev/urandom"};
    measure_way(to, "events, random bytes", ">= 0.6", random,
                [&] { watched(random); });
  }

private:
  static node_options options() {
    node_options result;
    result.sandbox = "bubblewrap";
    return result;
  }

  double rate(double seconds) const {
    return static_cast<double>(size_) / seconds / 1e6;
  }

  fs::path home() const {
    return server_.dir() / "data/sessions" / session_.id;
  }

  nlohmann::json command(const source& of) const {
    return {{"argv", {"head", "-c", std::to_string(size_), of.inside}}};
  }

  double piped(const source& of) {
    auto file = (server_.dir() / "tee").string();
    auto seconds = seconds_of([&] {
      spawn({"/bin/bash", "-c",
             "head -c " + std::to_string(size_) + ' ' + of.outside + " | tee "
               + file + " | cat > /dev/null"});
    });
    fs::remove(file);
    return rate(seconds);
  }

  void check(const nlohmann::json& exec) const {
    if (exec["exit_code"] != 0 || exec["stdout_bytes"] != size_)
      throw std::runtime_error("an exec: " + exec.dump());
  }

  /// What was logged is dropped, or the disk would be measured, and fill up.
  void drop(const std::string& exec_id) const {
    fs::remove_all(home() / "exec" / exec_id);
  }

  std::string start(const source& of) {
    return server_.ask("POST", session_.path + "/exec", command(of))["exec_id"];
  }

  nlohmann::json run(const source& of) {
    auto body = command(of);
    body["wait"] = "60s";
    return server_.ask("POST", session_.path + "/exec", body);
  }

  std::uint64_t get(const std::string& exec_id, const std::string& query) {
    return download(server_.port(),
                    server_.request("GET", session_.path + "/execs/" + exec_id
                                             + "/output?stream=stdout"
                                             + query));
  }

  void check(std::uint64_t bytes) const {
    if (bytes != size_)
      throw std::runtime_error(std::to_string(bytes) + " bytes came of "
                               + std::to_string(size_));
  }

  void logged(const source& of) {
    auto exec = run(of);
    check(exec);
    made_ = exec["exec_id"];
  }

  void followed(const source& of) {
    made_ = start(of);
    check(get(made_, "&follow=true"));
  }

  void watched(const source& of) {
    watchers one{server_.port(), 1,
                 server_.request("GET", session_.path + "/events")};
    made_ = start(of);
    auto got = one.until_exit();
    if (got.bytes < size_
        || (of.inside == text_.inside && got.lines != size_ / line_size))
      throw std::runtime_error(std::to_string(got.bytes) + " bytes and "
                               + std::to_string(got.lines)
                               + " lines came as events");
  }

  void measure_way(report& to, const std::string& name, const char* aim,
                   const source& of, const std::function<void()>& way) {
    comparison row{name, "MB/s", aim, {}, {}};
    for (int i = 0; i < rounds; ++i) {
      row.baseline.push_back(piped(of));
      row.subject.push_back(rate(seconds_of(way)));
      drop(made_);
    }
    to.rows.push_back(std::move(row));
  }

  /// The command has ended; only the download is measured.
  void measure_download(report& to) {
    comparison row{"output, after the end", "MB/s", ">= 0.8", {}, {}};
    for (int i = 0; i < rounds; ++i) {
      row.baseline.push_back(piped(text_));
      logged(text_);
      row.subject.push_back(rate(seconds_of([&] { check(get(made_, "")); })));
      drop(made_);
    }
    to.rows.push_back(std::move(row));
  }

  std::uint64_t size_;
  node server_;
  made_session session_ = server_.make_session();
  source text_;
  std::string made_; // the exec at hand
};

report measure(std::uint64_t mebibytes) {
  report result{
    "output",
    "how much output of a command gets through?",
    "head -c " + std::to_string(mebibytes) + "M | tee FILE | cat > /dev/null",
    "the same head as an exec in a sandbox, to one client",
    {},
    {"From the request to the last byte, or the event of the command's end; "
     "the files are below "
     + fs::temp_directory_path().string() + "."}};
  bench{mebibytes * mebibyte}.measure(result);
  return result;
}

} // namespace

int main(int argc, char** argv) {
  std::uint64_t mebibytes = 256;
  std::string_view last = argv[argc - 1];
  if (argc > 1 && !last.empty() && std::ranges::all_of(last, [](char c) {
        return std::isdigit(static_cast<unsigned char>(c)) != 0;
      })) {
    mebibytes = std::strtoull(last.data(), nullptr, 10);
    --argc;
  }
  return run(
    argc, argv, [&] { return measure(mebibytes); }, " [MEBIBYTES]");
}
