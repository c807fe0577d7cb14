#include "http/edge/ask_error.hpp"

#include <caf/atom.hpp>
#include <caf/sec.hpp>

namespace greenroom::http {

ask_error::ask_error(const caf::error& from)
  : why_(to_refusal(from)), gone_(from == caf::sec::request_receiver_down
                                  || from.category() == caf::atom("exit")),
    unread_(from == caf::sec::request_receiver_down),
    unknown_(from == caf::sec::unexpected_message) {}

} // namespace greenroom::http
