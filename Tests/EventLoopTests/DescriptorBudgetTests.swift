import Testing

@testable import EventLoop

@Suite struct DescriptorBudgetTests {
  @Test(arguments: [24, 26, 28, 30, 34, 38, 46, 54, 64, 256, 1_024, 65_536]) func noKindTakesWhatOthersNeed(_ limit: Int) {
    let inUse = 22
    let budget = DescriptorBudget(limit: limit, inUse: inUse)
    var held: [DescriptorPermit] = []
    // Each takes as much as it gets.
    for kind in DescriptorBudget.Kind.allCases {
      while let permit = budget.take(kind) { held.append(permit) }
      #expect(budget.inUse(by: kind) == budget.share(of: kind))
    }
    #expect(budget.share(of: .control) >= 1, "a command always gets through")
    // Where there is nothing at all but the command's.
    guard limit > inUse + 2 else { return }
    #expect(held.count <= limit - inUse - min(16, (limit - inUse) / 4), "the reserve is nobody's")
  }

  @Test(arguments: 8...64) func whereThereIsLittleEachKindOfConnectionGetsOne(_ free: Int) {
    let budget = DescriptorBudget(limit: 22 + free, inUse: 22)
    for kind in [.control, .door, .dial, .link, .data] as [DescriptorBudget.Kind] { #expect(budget.share(of: kind) >= 1) }
  }

  @Test func aPermitThatGoesGivesItsPlaceBack() throws {
    let budget = DescriptorBudget(limit: 64, inUse: 22)
    var held: [DescriptorPermit] = []
    while let permit = budget.take(.door) { held.append(permit) }
    #expect(!held.isEmpty)
    #expect(budget.take(.door) == nil)
    #expect(budget.take(.link) != nil, "the flood of one kind is not felt by another")
    held.removeLast()
    #expect(budget.take(.door) != nil)
  }

  @Test func thisProcessKnowsItsLimit() {
    #expect(DescriptorLimit.current >= DescriptorLimit.inUse)
    #expect(DescriptorLimit.inUse > 2)
  }
}
