import Primitives
import Testing

@testable import Store

@Suite struct ReadBackTests {
  @Test(arguments: [0, 1, (1 << 20) + 1])
  func theHashIsOfWhatIsOnTheDisk(_ size: Int) throws {
    let temporary = try TemporaryFolder()
    let bytes = pattern(size)
    let path = try temporary.file("f", bytes)
    for fromDisk in [true, false] {
      #expect(try ReadBack.hash(path, expectedBytes: UInt64(size), fromDisk: fromDisk) == SHA256Hash.hash(bytes))
    }
  }

  @Test func aFileOfAnotherSizeALinkOrNoneIsNamed() throws {
    let temporary = try TemporaryFolder()
    let path = try temporary.file("f", pattern(10))
    try temporary.link("l", to: path)
    #expect(code { _ = try ReadBack.hash(path, expectedBytes: 11) } == .deliveredChanged)
    #expect(code { _ = try ReadBack.hash(temporary("none"), expectedBytes: 1) } == .doesNotExist)
    #expect(code { _ = try ReadBack.hash(temporary("l"), expectedBytes: 10) } == .symlinkInDestination)
  }

  @Test func itStopsWhenItIsToldTo() throws {
    let temporary = try TemporaryFolder()
    let path = try temporary.file("f", pattern(3 << 20))
    var asked = 0
    let hash = try ReadBack.hash(path, expectedBytes: 3 << 20) {
      asked += 1
      return asked > 2
    }
    #expect(hash == nil)
    #expect(asked == 3)
  }
}
