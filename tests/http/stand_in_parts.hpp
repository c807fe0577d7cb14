// The stand-ins of the parts that sessions lean on: a project and the store.
#pragma once

#include "tests/http/stand_ins.hpp"

namespace greenroom::test {

project_actor::behavior_type project_stand_in(project_actor::pointer self,
                                              script_ptr s);

/// Keeps requests with an Idempotency-Key and refuses all else.
store_writer_actor::behavior_type
store_stand_in(store_writer_actor::pointer self, script_ptr s);

} // namespace greenroom::test
