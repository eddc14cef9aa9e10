/// Lets a session be steered from elsewhere: another terminal, a script, an agent.
public protocol RemoteControl: Sendable {
  /// Work has begun that may take long: the session can be reached from now on, unless it shall not be.
  func jobBegan(_ place: ControlPlace)
  /// `set control` may have been given another value.
  func move(to place: ControlPlace)
}

/// Where a session can be reached while its jobs run.
public enum ControlPlace: Sendable, Equatable {
  /// In the user's own folder for such sockets.
  case on
  case off
  /// At this path.
  case path(String)

  public init(_ text: String) {
    switch text {
    case "on": self = .on
    case "off", "none": self = .off
    default: self = .path(text)
    }
  }

  var words: String {
    switch self {
    case .on: "on"
    case .off: "off"
    case .path(let path): path
    }
  }
}
