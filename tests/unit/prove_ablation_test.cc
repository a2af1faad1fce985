// What the cells of an ablation come to. The runs themselves are tried with real jails.
#include <gtest/gtest.h>

#include "prove/ablation.h"

namespace immure::prove {
namespace {

constexpr probes::Probe kProbe{"an-attack", probes::Category::Root, "x", "y", "z", 1};

Ablated row(Cell frame, std::vector<Cell> without, std::vector<Cell> only) {
  Ablated one;
  one.probe = &kProbe;
  one.frame = frame;
  one.without = std::move(without);
  one.only = std::move(only);
  return one;
}

TEST(Ablated, IsAsDeepAsPartsHoldItAlone) {
  EXPECT_EQ(row(Cell::Open, {Cell::Holds, Cell::Holds}, {Cell::Holds, Cell::Holds}).depth(), 2);
  EXPECT_EQ(row(Cell::Open, {Cell::Open, Cell::Holds}, {Cell::Holds, Cell::Open}).depth(), 1);
  EXPECT_EQ(row(Cell::Open, {Cell::Holds, Cell::Holds}, {Cell::Open, Cell::Unknown}).depth(), 0);
  // The frame holds it, and everything else with it: nothing more is known.
  EXPECT_EQ(row(Cell::Holds, {Cell::Holds, Cell::Holds}, {Cell::Holds, Cell::Holds}).depth(), 1);
}

TEST(Ablation, NamesWhatCarriesAndWhatStopsNothing) {
  Ablation ablation;
  ablation.parts = {{"seccomp", {"--need", "seccomp=off"}}, {"keyring", {"--need", "keyring=off"}}};
  ablation.refused = {"", ""};
  ablation.attacks.push_back(row(Cell::Open, {Cell::Open, Cell::Holds}, {Cell::Holds, Cell::Open}));
  EXPECT_FALSE(ablation.stops_nothing(0));
  EXPECT_TRUE(ablation.stops_nothing(1));
  const std::string text = ablation_text(ablation);
  EXPECT_NE(text.find("Without seccomp 1 attack gets through"), std::string::npos) << text;
  EXPECT_NE(text.find("Stops nothing here that was tried: keyring."), std::string::npos) << text;
  // A layer that the frame hides behind is not blamed for stopping nothing by what the frame held.
  ablation.attacks = {row(Cell::Holds, {Cell::Holds, Cell::Holds}, {Cell::Holds, Cell::Holds})};
  EXPECT_TRUE(ablation.stops_nothing(0));
}

TEST(Ablation, PictureHasARowAnAttack) {
  Ablation ablation;
  EXPECT_EQ(ablation_svg(ablation), "");
  ablation.parts = {{"seccomp", {}}};
  ablation.refused = {""};
  ablation.attacks.push_back(row(Cell::Open, {Cell::Open}, {Cell::Holds}));
  const std::string svg = ablation_svg(ablation);
  EXPECT_NE(svg.find("an-attack"), std::string::npos);
  EXPECT_NE(svg.find("class=\"carries\""), std::string::npos);
}

}  // namespace
}  // namespace immure::prove
