// Holds all that the clients of these tests send and receive against the
// OpenAPI document; what differs fails the test that runs.
//
// With GREENROOM_TRAFFIC_REPORT=FILE it is appended to that file instead, so
// that one run shows everything.
#define CATCH_CONFIG_EXTERNAL_INTERFACES
#include "runtime/base/files.hpp"
#include "tests/support/api_contract.hpp"
#include "tests/support/build_paths.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <exception>
#include <fstream>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace greenroom::test {

namespace {

api_contract our_contract() {
  return api_contract{json::parse(
    read_file(source_dir() / "http" / "api" / "openapi.json").value())};
}

/// Clients may be on any thread, Catch2's assertions only on the main one:
/// faults wait for it.
class checker : public traffic_observer {
public:
  void answered(const http_exchange& exchange) override {
    take([&] { return contract_.faults_of(exchange); });
  }

  void streamed(const std::string& path, const sse_event& event) override {
    take([&] { return contract_.faults_of(path, event); });
  }

  void begin(const std::string& test) {
    std::lock_guard lock{mutex_};
    test_ = test;
    known_.clear();
  }

  /// On the main thread, while a test runs.
  void report() {
    std::vector<std::string> faults;
    std::string test;
    {
      std::lock_guard lock{mutex_};
      faults.swap(waiting_);
      test = test_;
    }
    auto* file = std::getenv("GREENROOM_TRAFFIC_REPORT");
    for (auto& fault : faults)
      if (file == nullptr)
        FAIL_CHECK("not as openapi.json says: " << fault);
      else
        std::ofstream{file, std::ios::app} << fault << "  [" << test << "]\n";
  }

private:
  template <class F>
  void take(F faults_of) {
    std::vector<std::string> faults;
    try {
      faults = faults_of();
    } catch (const std::exception& e) {
      faults = {std::string{"cannot be held against the document: "}
                + e.what()};
    }
    {
      std::lock_guard lock{mutex_};
      for (auto& fault : faults)
        if (known_.insert(fault).second)
          waiting_.push_back(std::move(fault));
    }
    if (std::this_thread::get_id() == main_)
      report();
  }

  const api_contract contract_ = our_contract();
  const std::thread::id main_ = std::this_thread::get_id();
  std::mutex mutex_;
  std::string test_;
  std::set<std::string> known_; // of this test
  std::vector<std::string> waiting_;
};

class traffic_check : public Catch::TestEventListenerBase {
public:
  using TestEventListenerBase::TestEventListenerBase;

  void testCaseStarting(const Catch::TestCaseInfo& test) override {
    if (!checker_) {
      checker_ = std::make_unique<checker>();
      observe_traffic(checker_.get());
    }
    checker_->begin(test.name);
  }

  // Before it counts what has failed.
  void sectionEnded(const Catch::SectionStats&) override {
    checker_->report();
  }

  void testRunEnded(const Catch::TestRunStats&) override {
    observe_traffic(nullptr);
  }

private:
  std::unique_ptr<checker> checker_;
};

CATCH_REGISTER_LISTENER(traffic_check)

} // namespace

} // namespace greenroom::test
