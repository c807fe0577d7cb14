#include "tests/actors/cluster/simulation/stage.hpp"

#include <algorithm>

namespace greenroom::simulation {

namespace {

constexpr unix_ms beginning = 1'700'000'000'000;

} // namespace

stage::stage(std::uint64_t seed, flaws what, std::size_t nodes)
  : luck(seed), planted(what), links(when, luck), store(when, what, rules) {
  rules.watch(store);
  for (std::size_t i = 0; i < nodes; ++i) {
    auto& one = machines.emplace_back();
    one.name = std::string(1, static_cast<char>('a' + i));
    one.rate = 1.0 + static_cast<double>(luck.between(-100, 100)) / 10'000.0;
    one.offset = luck.between(1, 1'000'000);
  }
}

stage::~stage() {
  show(nullptr);
}

millis stage::steady_of(int node) const {
  auto& one = machines[static_cast<std::size_t>(node)];
  return one.offset
         + static_cast<millis>(static_cast<double>(when.now()) * one.rate);
}

clock_face stage::face_of(int node) const {
  return {beginning + when.now() + node, steady_of(node)};
}

bool stage::runs(int node) const {
  auto& one = machines[static_cast<std::size_t>(node)];
  return one.is_up && one.paused_until <= when.now();
}

bool stage::is_over(int node, int life) const {
  auto& one = machines[static_cast<std::size_t>(node)];
  return !one.is_up || one.life != life;
}

void stage::in_process(int node, millis pause, agenda::task what) {
  auto life = machines[static_cast<std::size_t>(node)].life;
  when.in(pause, [this, node, life, what = std::move(what)] {
    if (is_over(node, life))
      return;
    auto& one = machines[static_cast<std::size_t>(node)];
    if (!runs(node))
      return in_process(node, one.paused_until - when.now(), what);
    auto face = face_of(node);
    show(&face);
    what();
    show(nullptr);
  });
}

void stage::on_disk(int node, agenda::task what) {
  auto& one = machines[static_cast<std::size_t>(node)];
  auto takes = !calm && luck.one_in(200) ? luck.between(100, 4'000) : 1;
  one.disk_busy_until = std::max(one.disk_busy_until, when.now()) + takes;
  one.disk_work.push_back(std::move(what));
  in_process(node, one.disk_busy_until - when.now(), [&one] {
    auto next = std::move(one.disk_work.front());
    one.disk_work.pop_front();
    next();
  });
}

} // namespace greenroom::simulation
