#include "bench/support/report.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <string_view>

namespace greenroom::bench {

namespace {

/// Three digits that count, thousands set apart.
std::string readable(double value) {
  char text[64];
  if (value < 100) {
    std::snprintf(text, sizeof text, value < 10 ? "%.2f" : "%.1f", value);
    return text;
  }
  std::snprintf(text, sizeof text, "%.0f", value);
  std::string result = text;
  for (auto i = static_cast<int>(result.size()) - 3; i > 0; i -= 3)
    result.insert(static_cast<std::size_t>(i), ",");
  return result;
}

void print_table(const report& what) {
  std::printf("%s: %s\n  baseline: %s\n  subject:  %s\n\n", what.name.c_str(),
              what.question.c_str(), what.baseline.c_str(),
              what.subject.c_str());
  std::printf("  %-34s %11s %11s %-4s %6s %-12s %s\n", "", "baseline",
              "subject", "", "ratio", "(spread)", "aim");
  for (auto& row : what.rows) {
    auto ratios = row.ratios();
    auto [least, most] = std::ranges::minmax(ratios);
    auto spread = "(" + readable(least) + "-" + readable(most) + ")";
    std::printf("  %-34s %11s %11s %-4s %6s %-12s %s\n", row.what.c_str(),
                readable(median(row.baseline)).c_str(),
                readable(median(row.subject)).c_str(), row.unit.c_str(),
                readable(median(ratios)).c_str(), spread.c_str(),
                row.aim.c_str());
  }
  std::printf("\n");
  for (auto& note : what.notes)
    std::printf("  %s\n", note.c_str());
}

void print_json(const report& what) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (auto& row : what.rows) {
    auto ratios = row.ratios();
    auto [least, most] = std::ranges::minmax(ratios);
    rows.push_back({{"what", row.what},
                    {"unit", row.unit},
                    {"aim", row.aim},
                    {"baseline", median(row.baseline)},
                    {"subject", median(row.subject)},
                    {"ratio", median(ratios)},
                    {"ratio_min", least},
                    {"ratio_max", most},
                    {"baseline_rounds", row.baseline},
                    {"subject_rounds", row.subject}});
  }
  nlohmann::ordered_json all{{"name", what.name},
                             {"question", what.question},
                             {"baseline", what.baseline},
                             {"subject", what.subject},
                             {"rows", rows},
                             {"notes", what.notes}};
  std::printf("%s\n", all.dump().c_str());
}

} // namespace

double median(std::vector<double> values) {
  std::ranges::sort(values);
  auto middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle]
                                : (values[middle - 1] + values[middle]) / 2;
}

std::vector<double> comparison::ratios() const {
  std::vector<double> result;
  for (std::size_t i = 0; i < subject.size(); ++i)
    result.push_back(subject[i] / baseline.at(i));
  return result;
}

int run(int argc, char** argv, const std::function<report()>& measure,
        const char* more) {
  bool json = argc == 2 && std::string_view{argv[1]} == "--json";
  if (argc > 1 && !json) {
    bool help = argc == 2 && std::string_view{argv[1]} == "--help";
    std::fprintf(help ? stdout : stderr, "usage: %s [--json]%s\n", argv[0],
                 more);
    return help ? 0 : 2;
  }
  try {
    auto result = measure();
    json ? print_json(result) : print_table(result);
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: could not measure: %s\n", argv[0], e.what());
    return 1;
  }
}

} // namespace greenroom::bench
