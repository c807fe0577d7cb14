#include "actors/base/change_in_doubt.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;
using namespace std::chrono_literals;

TEST_CASE("a change in doubt is asked for less and less often") {
  auto shown = std::make_shared<overdue_requests>();
  change_in_doubt doubt{shown};
  CHECK(doubt.next_pause() == 250ms);
  CHECK(doubt.next_pause() == 500ms);
  for (int i = 0; i < 20; ++i)
    CHECK(doubt.next_pause() <= change_in_doubt::longest_pause);
  CHECK(doubt.next_pause() == change_in_doubt::longest_pause);
}

TEST_CASE("readyz counts the changes that are in doubt") {
  auto shown = std::make_shared<overdue_requests>();
  {
    change_in_doubt one{shown};
    CHECK(shown->warnings()
          == std::vector<std::string>{"the store does not say whether 1 change "
                                      "of a project is made; the log names "
                                      "each"});
    change_in_doubt two{shown};
    shown->add(1);
    CHECK(shown->warnings().size() == 2);
  }
  shown->add(-1);
  CHECK(shown->warnings().empty());
}

TEST_CASE("a store that took nothing has said no, unless it may have before") {
  for (auto code : {errc::unavailable, errc::overloaded}) {
    CHECK(is_last_word(code, false));
    CHECK_FALSE(is_last_word(code, true));
  }
  for (auto before : {false, true}) {
    CHECK_FALSE(is_last_word(errc::timeout, before));
    CHECK(is_last_word(errc::conflict, before));
    CHECK(is_last_word(errc::internal, before));
  }
}
