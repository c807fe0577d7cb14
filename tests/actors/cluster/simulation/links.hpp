// The network of a simulated world: between nodes, from them to the store, and
// from clients to them. While it is faulty what is sent may be dropped, late,
// doubled or in another order, and one direction of a link may be cut.
#pragma once

#include "tests/actors/cluster/simulation/agenda.hpp"
#include "tests/actors/cluster/simulation/chance.hpp"

#include <map>
#include <utility>

namespace greenroom::simulation {

/// Nodes are 0, 1, …
using site = int;
inline constexpr site the_store = 100;
inline constexpr site the_clients = 101;

class links {
public:
  links(agenda& when, chance& luck) : agenda_(&when), chance_(&luck) {}

  /// `arrives` happens once, or never; where it is to `may_double` perhaps
  /// twice. Where it never does `lost` tells the sender, after a time.
  void send(site from, site to, agenda::task arrives, agenda::task lost = {},
            bool may_double = false);

  /// Nothing gets from one to the other until then, by the world's time.
  void cut(site from, site to, millis until);
  bool is_cut(site from, site to) const;

  /// All is well from now on.
  void mend();

private:
  millis delay();

  agenda* agenda_;
  chance* chance_;
  bool faulty_ = true;
  std::map<std::pair<site, site>, millis> cuts_;
};

} // namespace greenroom::simulation
