// What does a clone through the server cost?
//
// `git clone` of a session's clone URL: authenticated, packed inside the
// session's sandbox, streamed over HTTP. Against `git clone file://` of its
// upstream, which packs the same and hands it over by a pipe.
#include "bench/support/clock.hpp"
#include "bench/support/node.hpp"
#include "bench/support/report.hpp"

#include <filesystem>

using namespace greenroom::bench;

namespace {

constexpr int rounds = 7;
constexpr repository_size upstream{1500, 3000};

/// The time of a clone, with its checkout or without.
double clone(const std::filesystem::path& dir, const std::string& url,
             bool checkout) {
  auto milliseconds = milliseconds_of([&] {
    git(dir, {"clone", "-q", checkout ? "--no-bare" : "--bare", url, "copy"});
  });
  std::filesystem::remove_all(dir / "copy");
  return milliseconds;
}

void measure_mode(const std::string& sandbox, report& to) {
  node_options options;
  options.sandbox = sandbox;
  options.upstream = upstream;
  node server{options};
  auto session = server.make_session();
  auto file = "file://" + server.upstream().string();
  std::string mode = sandbox == "none" ? "no sandbox" : "sandboxed";
  comparison whole{mode, "ms", "<= 1.15", {}, {}};
  comparison bare{mode + ", --bare", "ms", "<= 1.15", {}, {}};
  clone(server.dir(), session.clone_url, true); // starts what runs there
  for (int i = 0; i < rounds; ++i) {
    whole.baseline.push_back(clone(server.dir(), file, true));
    whole.subject.push_back(clone(server.dir(), session.clone_url, true));
    bare.baseline.push_back(clone(server.dir(), file, false));
    bare.subject.push_back(clone(server.dir(), session.clone_url, false));
  }
  to.rows.push_back(std::move(whole));
  to.rows.push_back(std::move(bare));
}

report measure() {
  report result{"clone",
                "what does a clone through the server cost?",
                "git clone file:// of the upstream",
                "git clone of the session's clone URL",
                {},
                {"1,500 files, 3,000 commits. The client's own work is in "
                 "both, and its checkout too unless the clone is bare."}};
  measure_mode("none", result);
  measure_mode("bubblewrap", result);
  return result;
}

} // namespace

int main(int argc, char** argv) {
  return run(argc, argv, measure);
}
