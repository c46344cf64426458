import API
import Testing

@Suite struct UnitsTests {
  @Test(
    arguments: [
      (0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (1_049, "1.0 kB"), (1_050, "1.1 kB"), (999_949, "999.9 kB"),
      (999_950, "1.0 MB"), (20_113_000, "20.1 MB"), (1_000_000_000, "1.00 GB"), (2_147_483_648, "2.15 GB"),
      (7_240_000_000_000, "7.24 TB"), (UInt64.max, "18.45 EB"),
    ] as [(UInt64, String)])
  func sizesAreInPowersOfTen(_ count: UInt64, _ text: String) {
    #expect(Units.bytes(count) == text)
  }

  @Test(arguments: [(264, "264"), (9_800_000, "9.8 M"), (12_345, "12.3 k"), (7_241_000_000, "7.24 B")] as [(UInt64, String)])
  func parametersAreCountedAsTheFieldDoes(_ count: UInt64, _ text: String) {
    #expect(Units.count(count) == text)
  }

  @Test(
    arguments: [
      (0, "just now"), (4, "just now"), (42, "42 s ago"), (185, "3 min ago"), (7_300, "2 h ago"), (86_400, "1 day ago"),
      (5 * 86_400, "5 days ago"), (90 * 86_400, "2026-08-23"),
    ] as [(UInt64, String)])
  func agesAreShort(_ seconds: UInt64, _ text: String) {
    let now: UInt64 = 1_795_234_920  // 2026-11-21 04:22:00
    #expect(Units.age(of: now - seconds, now: now) == text)
  }

  @Test func aTimeAheadOfOurClockIsNoAge() {
    #expect(Units.age(of: 1_030, now: 1_000) == "just now")
    #expect(Units.age(of: 1_795_234_920, now: 1_000) == "2026-11-21 04:22 UTC")
    #expect(Units.age(of: .max, now: 1_000) == "9999-12-31 07:00 UTC")
  }

  @Test(
    arguments: [
      (0.04, "0.0 s"), (0.84, "0.8 s"), (9.96, "10 s"), (59.4, "59 s"), (185, "3 min 5 s"), (180, "3 min"),
      (3_720, "1 h 2 min"),
      (200_000, "2 days"), (.infinity, "–"), (-1, "–"), (.nan, "–"), (1e300, "11574074074 days"),
    ] as [(Double, String)])
  func durationsAreShort(_ seconds: Double, _ text: String) {
    #expect(Units.duration(seconds) == text)
  }

  @Test(arguments: [(42, "0:42"), (723, "12:03"), (3_723, "1:02:03")] as [(UInt64, String)])
  func aClockHasTwoDigits(_ seconds: UInt64, _ text: String) {
    #expect(Units.clock(seconds) == text)
  }

  @Test func aHundredPercentMeansAllOfIt() {
    #expect(Units.percent(0, of: 10) == "0 %")
    #expect(Units.percent(999, of: 1_000) == "99 %")
    #expect(Units.percent(1_000, of: 1_000) == "100 %")
    #expect(Units.percent(2_000, of: 1_000) == "100 %")
    #expect(Units.percent(0, of: 0) == "100 %")
  }

  @Test(
    arguments: [
      (0, "1970-01-01 00:00 UTC"), (951_782_400, "2000-02-29 00:00 UTC"), (1_709_164_800, "2024-02-29 00:00 UTC"),
      (1_795_234_920, "2026-11-21 04:22 UTC"), (4_107_542_399, "2100-02-28 23:59 UTC"),
    ] as [(UInt64, String)])
  func datesAreRightAroundLeapDays(_ time: UInt64, _ text: String) {
    #expect(Units.date(time) == text)
  }

  @Test func timestampsHaveMilliseconds() {
    #expect(Units.timestamp(1_795_234_925, milliseconds: 7) == "2026-11-21T04:22:05.007Z")
  }

  @Test(arguments: [("90s", 90), ("15m", 900), ("2h", 7_200), ("1d", 86_400), ("0s", 0)] as [(String, UInt64)])
  func durationsAreRead(_ text: String, _ seconds: UInt64) {
    #expect(Units.parseDuration(text) == seconds)
  }

  @Test(arguments: ["", "m", "15", "0", "15x", "-1m", "1.5h", "1 m", "١m", "99999999999999999999", "18446744073709551615d"])
  func whatIsNoDurationIsRefused(_ text: String) {
    #expect(Units.parseDuration(text) == nil)
  }

  @Test func aSafetyNumberHasThreeLinesOfFourGroups() {
    let digits = (0..<12).map { "0000\($0 % 10)" }.joined()
    #expect(
      Fingerprint.safetyNumberLines(digits) == [
        "00000 00001 00002 00003", "00004 00005 00006 00007", "00008 00009 00000 00001",
      ])
    #expect(Fingerprint.text(nodeID: "0123456789abcdef0123456789abcdefFFFF") == "0123 4567 89ab cdef 0123 4567 89ab cdef")
    #expect(Fingerprint.safetyNumberLines("") == [])
  }
}
