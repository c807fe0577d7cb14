// A cluster in one thread, played through with a seed: some time of
// misfortunes, then calm, in which everything has to be in order again.
#pragma once

#include "tests/actors/cluster/simulation/clients.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace greenroom::simulation {

class world {
public:
  world(std::uint64_t seed, flaws planted);
  ~world();

  /// What was wrong, or nothing.
  std::string run();

  /// What chance would say next: tells histories apart.
  std::uint64_t next_draw() {
    return stage_.luck.below(UINT64_MAX);
  }

private:
  bool goes_on_until(millis when);
  void step();
  void misfortune();
  void start(int node);
  void kill(int node);
  void calm_down();
  std::string out_of_order() const;
  std::string out_of_order(const std::string& session_id,
                           const store_model::session_row& row) const;

  stage stage_;
  actors actors_;
  std::vector<std::unique_ptr<process>> processes_;
  clients clients_;
};

} // namespace greenroom::simulation
