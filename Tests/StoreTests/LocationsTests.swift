import Store
import Testing

@Suite struct LocationsTests {
  @Test func pawlHomePlacesEverythingBeneathIt() throws {
    let places = try Locations.resolve(environment: [
      "PAWL_HOME": "/srv/pawl/", "XDG_STATE_HOME": "/elsewhere", "HOME": "/root",
    ])
    #expect(places.configFile == "/srv/pawl/config.yaml")
    #expect(places.identity == "/srv/pawl/identity")
    #expect(places.state == "/srv/pawl/state")
    #expect(places.socket == "/srv/pawl/control.sock")
  }

  @Test func xdgVariablesPlaceEachKind() throws {
    let places = try Locations.resolve(environment: [
      "XDG_CONFIG_HOME": "/c", "XDG_DATA_HOME": "/d", "XDG_STATE_HOME": "/s", "XDG_RUNTIME_DIR": "/run/user/7",
    ])
    #expect(places.config == "/c/pawl")
    #expect(places.identity == "/d/pawl/identity")
    #expect(places.state == "/s/pawl")
    #expect(places.socket == "/run/user/7/pawl/control.sock")
  }

  @Test func homeIsTheDefaultAndRelativeXDGPathsAreIgnored() throws {
    let places = try Locations.resolve(environment: ["HOME": "/home/a", "XDG_CONFIG_HOME": "relative", "PAWL_HOME": ""])
    #expect(places.config == "/home/a/.config/pawl")
    #expect(places.identity == "/home/a/.local/share/pawl/identity")
    #expect(places.state == "/home/a/.local/state/pawl")
    #expect(places.socket == "/home/a/.local/state/pawl/control.sock")
  }

  @Test func withoutAnyHomeThereIsAClearError() {
    #expect(throws: StoreError(.noHome, detail: "")) { try Locations.resolve(environment: [:]) }
  }

  @Test func aSocketPathThatDoesNotFitIsAClearError() throws {
    let fits = "/" + String(repeating: "x", count: 107 - 1 - "/control.sock".count)
    #expect(try Locations.resolve(environment: ["PAWL_HOME": fits]).socket.utf8.count == 107)
    #expect {
      try Locations.resolve(environment: ["PAWL_HOME": fits + "y"])
    } throws: { error in
      let error = error as? StoreError
      return error?.code == .socketPathTooLong && error?.message.contains("108") == true && error?.hint != nil
    }
  }
}
