#include "http/streams/terminal_orders.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace greenroom;
using http::terminal_orders;

namespace {

write_input typed(const std::string& text) {
  return {"t", shared_text{text}};
}

resize_exec size_of(std::uint16_t rows) {
  return {"t", rows, 80};
}

} // namespace

TEST_CASE("each order to a terminal counts, however little was typed") {
  terminal_orders orders;
  CHECK(orders.put(typed("x")) == terminal_orders::own_size + 1);
  CHECK(orders.put(size_of(24)) == terminal_orders::own_size);
  CHECK(orders.take().second == terminal_orders::own_size + 1);
  CHECK(orders.take().second == terminal_orders::own_size);
  CHECK(orders.empty());
}

TEST_CASE("of sizes of a terminal that wait only the last one is told") {
  terminal_orders orders;
  orders.put(size_of(24));
  CHECK(orders.put(size_of(25)) == 0);
  CHECK(orders.put(size_of(26)) == 0);
  orders.put(typed("ls"));
  CHECK(orders.put(size_of(27)) != 0); // what is typed has the one before
  CHECK(std::get<resize_exec>(orders.take().first).rows == 26);
  CHECK(std::get<write_input>(orders.take().first).data.view() == "ls");
  CHECK(std::get<resize_exec>(orders.take().first).rows == 27);
  CHECK(orders.empty());
}
