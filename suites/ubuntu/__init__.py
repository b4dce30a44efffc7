"""Ubuntu's page on nested virtualization."""
