// Members of a cluster on a store, played through with a seed: clocks that
// differ, answers that are late or never come, processes that stand still, die
// and are started again. A seed that failed is replayed alone by
// GREENROOM_SEED=N.
#include "actors/cluster/machine/member.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <optional>
#include <random>
#include <set>

using namespace greenroom;
using namespace greenroom::cluster;

namespace {

constexpr millis simulated_lease = 6'000;

/// What can be wrong, to see that it would be found.
struct flaws {
  bool no_epoch_check = false;     // a write goes in whoever owns the project
  bool early_takeover = false;     // nobody looks at the lease
  bool counts_from_answer = false; // a renewal that came after a pause is fresh
};

/// The conditional writes of runtime/store/nodes.hpp.
class fake_store {
public:
  explicit fake_store(flaws f) : flaws_(f) {
    for (auto id : {"p", "q", "r", "s"})
      projects_[id] = {id, {}, {}, 0};
  }

  millis clock = 0;

  bool join(const std::string& name, const std::string& incarnation) {
    leases_[name] = {incarnation, clock + simulated_lease};
    return true;
  }
  bool renew(const std::string& name, const std::string& incarnation) {
    auto& mine = leases_[name];
    if (mine.incarnation != incarnation || mine.until <= clock)
      return false;
    mine.until = clock + simulated_lease;
    return true;
  }
  void take_over(const std::string& name, const std::string& incarnation,
                 const owner_record& wanted) {
    auto& mine = leases_[name];
    auto& project = projects_[wanted.project_id];
    if (mine.incarnation != incarnation || mine.until <= clock
        || project.node == name || project.epoch != wanted.epoch)
      return;
    if (!flaws_.early_takeover && leases_[project.node].until > clock)
      return;
    leases_[project.node].until =
      flaws_.early_takeover ? leases_[project.node].until : 0;
    project.node = name;
    ++project.epoch;
  }
  /// True: it is stored.
  bool write(const std::string& project_id, const std::string& name,
             std::uint64_t epoch, int value) {
    auto& project = projects_[project_id];
    const bool owns = project.node == name && project.epoch == epoch;
    if (!owns && !flaws_.no_epoch_check)
      return false;
    if (!owns)
      stale_write = true;
    values.insert(value);
    return true;
  }

  std::vector<node_record> nodes() const {
    std::vector<node_record> result;
    for (auto& [name, held] : leases_) {
      if (name.empty())
        continue;
      node_record one;
      one.name = name;
      one.incarnation = held.incarnation;
      one.lease_left = std::max<millis>(held.until - clock, 0);
      one.state = one.lease_left > 0 ? node_state::ready : node_state::down;
      result.push_back(one);
    }
    return result;
  }
  std::vector<owner_record> owners() const {
    std::vector<owner_record> result;
    for (auto& [id, project] : projects_)
      result.push_back(project);
    return result;
  }

  std::set<int> values;
  bool stale_write = false;

private:
  struct row {
    std::string incarnation;
    millis until = 0;
  };
  flaws flaws_;
  std::map<std::string, row> leases_;
  std::map<std::string, owner_record> projects_;
};

class world {
public:
  world(std::uint32_t seed, flaws f) : random_(seed), flaws_(f), store_(f) {
    for (auto name : {"a", "b", "c"}) {
      nodes_.emplace_back();
      nodes_.back().m.node = name;
      nodes_.back().m.lease = simulated_lease;
      // A second may be so much longer or shorter here.
      nodes_.back().rate = 1.0 + (pick(0, 200) - 100) / 10'000.0;
      nodes_.back().offset = pick(0, 1'000'000);
    }
  }

  /// What was broken, if anything.
  std::optional<std::string> run() {
    for (faults_ = true; now_ < 20 * simulated_lease;)
      if (auto broken = step())
        return broken;
    faults_ = false;
    for (auto& one : nodes_)
      one.paused_until = one.down_until = 0;
    for (auto calm = now_ + 5 * simulated_lease; now_ < calm;)
      if (auto broken = step())
        return broken;
    return unowned();
  }

private:
  struct process {
    member m;
    double rate = 1;
    millis offset = 0;
    millis paused_until = 0; // stands still, wakes with all it had
    millis down_until = 0;   // dead; starts with nothing
    int life = 0;
    int ids = 0;
  };
  struct event {
    millis at = 0;
    std::size_t to; // node that must be awake for it; none: the store
    int life = 0;
    std::function<void()> what;
  };
  static constexpr std::size_t at_store = 99;

  millis pick(millis least, millis most) {
    return std::uniform_int_distribution<millis>{least, most}(random_);
  }
  bool chance(int percent) {
    return pick(0, 99) < percent;
  }
  millis clock_of(const process& one) const {
    return one.offset
           + static_cast<millis>(static_cast<double>(now_) * one.rate);
  }
  bool runs(const process& one) const {
    return now_ >= one.paused_until && now_ >= one.down_until;
  }
  millis delay() {
    if (!faults_)
      return pick(1, 20);
    return chance(85) ? pick(1, 50) : pick(1, 2 * simulated_lease);
  }
  void later(std::size_t to, int life, std::function<void()> what) {
    events_.push_back({now_ + delay(), to, life, std::move(what)});
  }

  std::optional<std::string> step() {
    now_ += pick(1, 60);
    store_.clock = now_;
    if (faults_)
      misfortune();
    deliver();
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      if (runs(nodes_[i]))
        live(i);
    return check();
  }

  void misfortune() {
    auto& one = nodes_[static_cast<std::size_t>(pick(0, 2))];
    if (!runs(one) || pick(0, 999) > 8)
      return;
    if (chance(50)) {
      one.paused_until = now_ + pick(1, 3 * simulated_lease);
      return;
    }
    one.down_until = now_ + pick(1, 3 * simulated_lease);
    ++one.life;
    auto fresh = member{};
    fresh.node = one.m.node;
    fresh.lease = simulated_lease;
    one.m = fresh;
  }

  // What is due, in any order among what is due at once.
  void deliver() {
    std::vector<event> due;
    auto is_due = [&](const event& e) {
      return e.at <= now_ && (e.to == at_store || runs(nodes_[e.to]));
    };
    for (auto& e : events_)
      if (is_due(e))
        due.push_back(e);
    std::erase_if(events_, is_due);
    for (auto& e : due)
      if (e.to == at_store || nodes_[e.to].life == e.life)
        e.what();
  }

  void live(std::size_t i) {
    auto& one = nodes_[i];
    perform(i, apply(one.m, ticked{clock_of(one),
                                   one.m.node + std::to_string(one.life) + '-'
                                     + std::to_string(one.ids++)}));
    // A neighbour may always look dead.
    if (chance(3))
      suspect(i);
    for (auto& [project, epoch] : one.m.owned)
      if (may_acknowledge(one.m, clock_of(one)) && chance(20))
        begin_write(i, project, epoch);
  }

  void suspect(std::size_t i) {
    auto& one = nodes_[i];
    apply(one.m, hinted{clock_of(one)});
    for (auto& project : store_.owners())
      if (may_acknowledge(one.m, clock_of(one)) && project.node != one.m.node)
        later(at_store, 0,
              [this, project, name = one.m.node, inc = one.m.incarnation] {
                store_.take_over(name, inc, project);
              });
  }

  void begin_write(std::size_t i, const std::string& project,
                   std::uint64_t epoch) {
    auto& one = nodes_[i];
    auto value = ++last_value_;
    later(at_store, 0, [=, this, name = one.m.node, life = one.life] {
      auto stored = store_.write(project, name, epoch, value);
      later(i, life, [=, this] {
        auto& m = nodes_[i].m;
        auto owned = m.owned.find(project);
        if (stored && may_acknowledge(m, clock_of(nodes_[i]))
            && owned != m.owned.end() && owned->second == epoch)
          lost_ = lost_ || !store_.values.contains(value);
      });
    });
  }

  void ask(std::size_t i, const std::string& incarnation, bool joins) {
    auto& one = nodes_[i];
    const auto begun = clock_of(one);
    const auto life = one.life;
    const auto name = one.m.node;
    const bool lost_before = faults_ && chance(8);
    const bool lost_after = faults_ && chance(8); // it happened all the same
    later(at_store, 0, [=, this] {
      answered reply;
      reply.begun = begun;
      if (!lost_before) {
        auto ok = joins ? store_.join(name, incarnation)
                        : store_.renew(name, incarnation);
        reply.result = ok ? outcome::kept : outcome::lost;
        reply.nodes = store_.nodes();
        reply.owners = store_.owners();
      }
      if (lost_after)
        reply = answered{0, begun, outcome::unknown, {}, {}};
      later(i, life, [=, this]() mutable {
        reply.now = clock_of(nodes_[i]);
        if (flaws_.counts_from_answer)
          reply.begun = reply.now;
        perform(i, apply(nodes_[i].m, reply));
      });
    });
  }

  void perform(std::size_t i, const effects& all) {
    for (auto& one : all) {
      if (auto* x = std::get_if<join>(&one))
        ask(i, x->incarnation, true);
      else if (auto* y = std::get_if<renew>(&one))
        ask(i, y->incarnation, false);
      else if (auto* z = std::get_if<take_over>(&one))
        for (auto& project : z->projects)
          later(
            at_store, 0,
            [=, this, name = nodes_[i].m.node, inc = nodes_[i].m.incarnation] {
              store_.take_over(name, inc, project);
            });
    }
  }

  std::optional<std::string> check() const {
    if (store_.stale_write)
      return "a write went in that was not the owner's";
    for (auto& project : store_.owners()) {
      int speakers = 0;
      for (auto& one : nodes_)
        if (runs(one) && one.m.owned.contains(project.project_id)
            && may_acknowledge(one.m, clock_of(one))) {
          ++speakers;
          if (project.node != one.m.node)
            return one.m.node + " speaks for " + project.node + "'s project";
        }
      if (speakers > 1)
        return "two speak for a project";
    }
    if (lost_)
      return "what was acknowledged is not there";
    return std::nullopt;
  }

  // After all has been well for long.
  std::optional<std::string> unowned() const {
    for (auto& project : store_.owners()) {
      bool served = false;
      for (auto& one : nodes_) {
        auto found = one.m.owned.find(project.project_id);
        served =
          served
          || (found != one.m.owned.end() && found->second == project.epoch
              && one.m.node == project.node
              && may_acknowledge(one.m, clock_of(one)));
      }
      if (!served)
        return "nobody serves project " + project.project_id;
    }
    return std::nullopt;
  }

  std::mt19937 random_;
  flaws flaws_;
  fake_store store_;
  std::vector<process> nodes_;
  std::vector<event> events_;
  bool lost_ = false; // something that was acknowledged
  int last_value_ = 0;
  millis now_ = 0;
  bool faults_ = true;
};

std::optional<std::string> simulate(std::uint32_t seed, flaws f = {}) {
  return world{seed, f}.run();
}

/// The first of a thousand seeds that shows it; 0: none.
std::uint32_t found_by(flaws f) {
  for (std::uint32_t seed = 1; seed <= 1'000; ++seed)
    if (simulate(seed, f))
      return seed;
  return 0;
}

} // namespace

TEST_CASE("whatever happens, a project has one owner and loses nothing") {
  if (auto* only = std::getenv("GREENROOM_SEED")) {
    CHECK(simulate(static_cast<std::uint32_t>(std::stoul(only))).value_or("")
          == "");
    return;
  }
  auto* many = std::getenv("GREENROOM_SEEDS");
  const auto last = many == nullptr ? 1'000 : std::stoul(many);
  for (std::uint32_t seed = 1; seed <= last; ++seed) {
    INFO("GREENROOM_SEED=" << seed);
    REQUIRE(simulate(seed).value_or("") == "");
  }
}

TEST_CASE("what could be wrong with leases would be seen") {
  auto flaw =
    GENERATE(flaws{.no_epoch_check = true}, // the kinds in turn
             flaws{.early_takeover = true}, flaws{.counts_from_answer = true});
  auto seed = found_by(flaw);
  INFO("found by seed " << seed);
  CHECK(seed != 0);
}
