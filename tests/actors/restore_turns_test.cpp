// Whose turn it is to have a checkout restored.
#include "actors/base/restore_turns.hpp"

#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <vector>

using greenroom::restore_turns;

namespace {

struct line {
  std::shared_ptr<restore_turns> turns =
    std::make_shared<restore_turns>(restore_turns::limits{2, 2, 2, 1});
  std::vector<std::string> woken;

  std::unique_ptr<restore_turns::place> come(const std::string& name,
                                             const std::string& project,
                                             bool urgent = false) {
    return turns->line_up(project, urgent,
                          [this, name] { woken.push_back(name); });
  }
};

} // namespace

TEST_CASE("turns are few, and come in order") {
  line l;
  auto a = l.come("a", "p");
  auto b = l.come("b", "q");
  auto c = l.come("c", "p");
  auto d = l.come("d", "p");
  CHECK(l.woken == std::vector<std::string>{"a", "b"});
  CHECK(a->is_granted());
  CHECK_FALSE(c->is_granted());
  c.reset(); // it waits no longer
  a.reset();
  CHECK(l.woken == std::vector<std::string>{"a", "b", "d"});
  CHECK(d->is_granted());
}

TEST_CASE("those that somebody waits for need not wait for the others") {
  line l;
  auto a = l.come("a", "p");
  auto b = l.come("b", "p");
  auto c = l.come("c", "p");
  auto d = l.come("d", "p");
  d->hurry();
  CHECK(d->is_granted());
  d->hurry(); // it has its turn
  c->hurry();
  // One project does not have all the room there is.
  CHECK_FALSE(c->is_granted());
  auto other = l.come("other", "q", true);
  CHECK(other->is_granted());
  d.reset();
  CHECK(c->is_granted());
  CHECK(l.woken == std::vector<std::string>{"a", "b", "d", "other", "c"});
}

TEST_CASE("while there is more to do nobody has a turn who can wait") {
  line l;
  l.turns->set_busy(true);
  auto a = l.come("a", "p");
  auto b = l.come("b", "p", true);
  CHECK(l.woken == std::vector<std::string>{"b"});
  b.reset();
  CHECK(l.woken.size() == 1);
  l.turns->set_busy(false);
  CHECK(a->is_granted());
}
