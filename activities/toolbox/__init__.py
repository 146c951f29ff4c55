"""The built-in tools."""

from activities.toolbox.build import ToolboxConfig, build_toolbox

__all__ = ["ToolboxConfig", "build_toolbox"]
