#include "tests/actors/cluster/simulation/links.hpp"

namespace greenroom::simulation {

namespace {

constexpr millis usual = 40;
constexpr millis slow = 8'000;       // more than a lease
constexpr millis noticed_by = 2'500; // that a connection is broken

} // namespace

millis links::delay() {
  if (faulty_ && chance_->percent(4))
    return chance_->between(1, slow);
  return chance_->between(1, usual);
}

void links::send(site from, site to, agenda::task arrives, agenda::task lost,
                 bool may_double) {
  if (is_cut(from, to) || (faulty_ && chance_->percent(2))) {
    if (lost)
      agenda_->in(chance_->between(1, noticed_by), std::move(lost));
    return;
  }
  if (may_double && faulty_ && chance_->percent(5))
    agenda_->in(delay(), arrives);
  agenda_->in(delay(), std::move(arrives));
}

void links::cut(site from, site to, millis until) {
  cuts_[{from, to}] = until;
}

bool links::is_cut(site from, site to) const {
  auto found = cuts_.find({from, to});
  return found != cuts_.end() && agenda_->now() < found->second;
}

void links::mend() {
  faulty_ = false;
  cuts_.clear();
}

} // namespace greenroom::simulation
