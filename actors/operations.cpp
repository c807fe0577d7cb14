#include "actors/operations.hpp"

#include <memory>
#include <utility>

namespace greenroom {

namespace {

using operations_pointer = operations_actor::stateful_pointer<operations_state>;

/// Answers once both parts have, or will not.
struct gathering {
  node_figures found;
  int missing = 2;
  caf::typed_response_promise<node_figures> promise;

  void part_done() {
    if (--missing == 0)
      promise.deliver(std::move(found));
  }
};

caf::result<node_figures> gather(operations_pointer self) {
  auto all = std::make_shared<gathering>();
  all->promise = self->make_response_promise<node_figures>();
  auto promise = all->promise;
  auto& context = *self->state.context;
  self->request(context.reader, figures_timeout, count_sessions{context.node})
    .then(
      [all](const session_counts& counts) {
        all->found.has_sessions = true;
        all->found.sessions = counts;
        all->part_done();
      },
      [all](const caf::error&) { all->part_done(); });
  self->request(self->state.supervisor, figures_timeout, get_load{})
    .then(
      [all](const supervisor_load& load) {
        all->found.has_load = true;
        all->found.load = load;
        all->part_done();
      },
      [all](const caf::error&) { all->part_done(); });
  return promise;
}

} // namespace

operations_actor::behavior_type
operations(operations_pointer self, context_ptr context,
           session_supervisor_actor supervisor) {
  self->state.context = std::move(context);
  self->state.supervisor = std::move(supervisor);
  return {
    [self](get_figures) { return gather(self); },
    [self](find_live& x) {
      return self->delegate(self->state.context->reader, std::move(x));
    },
    [self](add_audit& x) {
      return self->delegate(self->state.context->store, std::move(x));
    },
    [self](query_audit& x) {
      return self->delegate(self->state.context->reader, std::move(x));
    },
  };
}

} // namespace greenroom
