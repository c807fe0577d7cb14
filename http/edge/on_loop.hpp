// A typed actor that lives on an HTTP thread's loop: it runs there and nowhere
// else, so it shares that thread's state without a lock. It keeps the loop, for
// other actors may hold it, and send to it, after the thread has ended; what
// comes then is dropped.
#pragma once

#include "http/edge/loop.hpp"

#include <caf/actor_config.hpp>
#include <caf/exit_reason.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/message_id.hpp>
#include <caf/message_priority.hpp>
#include <caf/resumable.hpp>
#include <caf/system_messages.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <memory>
#include <utility>

namespace greenroom::http {

template <class Handle>
class on_loop : public Handle::base {
public:
  using super = typename Handle::base;
  using subtype_t = caf::resumable::subtype_t;

  on_loop(caf::actor_config& config, loop& home)
    : super(config), home_(home), life_(home.shared_from_this()) {
    this->context(&home_);
  }

  using super::enqueue;
  void enqueue(caf::mailbox_element_ptr element,
               caf::execution_unit*) override {
    super::enqueue(std::move(element), &home_);
  }

  void launch(caf::execution_unit*, bool, bool hide) override {
    if (!hide)
      this->register_at_system();
    caf::intrusive_ptr_add_ref(this->ctrl());
    home_.exec_later(this);
  }

  subtype_t subtype() const override {
    return caf::resumable::io_actor;
  }

  /// Ends it in its next turn, before all that waits for it. By a message: one
  /// that quits outside of its turn is woken no more, and who watches it would
  /// not hear of its end.
  void end_soon() {
    this->eq_impl(
      caf::make_message_id(caf::message_priority::high), nullptr, &home_,
      caf::exit_msg{this->address(), caf::exit_reason::user_shutdown});
  }

protected:
  loop& home_;

private:
  const std::shared_ptr<loop> life_;
};

} // namespace greenroom::http
