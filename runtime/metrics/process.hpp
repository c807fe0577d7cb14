// What this process takes, under the names that all of Prometheus's clients
// have for it.
#pragma once

namespace greenroom {

class metrics_page;

/// Reads /proc/self; what cannot be read is left out.
void add_process(metrics_page& page);

} // namespace greenroom
