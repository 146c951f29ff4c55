"""The built-in tools."""

from relayline.activities.tool.toolbox.build import ToolboxConfig, build_toolbox

__all__ = ["ToolboxConfig", "build_toolbox"]
