"""What each route does, one file per group of routes; the routes themselves are in `dispatch.web.routes`."""
